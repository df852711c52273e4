//! The types behind the registers: flags, enumerations and vectors, as a target description writes them.

use super::table::Feature;

/// A bit, or several, of a flags type: name, first and last bit.
type Bits = (&'static str, u32, u32);

/// A type that a feature defines.
pub(super) enum Type {
    Flags { id: &'static str, bytes: u32, bits: &'static [Bits] },
    Enum { id: &'static str, bytes: u32, values: &'static [(&'static str, u32)] },
    Vector { id: &'static str, element: &'static str, count: u32 },
    Union { id: &'static str, fields: &'static [(&'static str, &'static str)] },
}

/// The types that `feature` defines, each before its first use.
pub(super) fn of(feature: Feature, wide: bool) -> Vec<Type> {
    match feature {
        Feature::Core => vec![Type::Flags { id: "i386_eflags", bytes: 4, bits: EFLAGS }],
        Feature::Sse => sse(),
        Feature::Segments => Vec::new(),
        Feature::System => {
            let named = |narrow, wide_id, bits| {
                let (id, bytes) = if wide { (wide_id, 8) } else { (narrow, 4) };
                Type::Flags { id, bytes, bits }
            };
            vec![
                named("cr0_32", "cr0_64", CR0),
                named("cr4_32", "cr4_64", CR4),
                Type::Flags { id: "efer_64", bytes: 8, bits: EFER },
                named("dr6_32", "dr6_64", DR6),
                named("dr7_32", "dr7_64", DR7),
                Type::Enum { id: "cpu_mode", bytes: 4, values: MODES },
            ]
        }
    }
}

fn sse() -> Vec<Type> {
    let vector = |id, element, count| Type::Vector { id, element, count };
    vec![
        vector("v4f", "ieee_single", 4),
        vector("v2d", "ieee_double", 2),
        vector("v16i8", "int8", 16),
        vector("v8i16", "int16", 8),
        vector("v4i32", "int32", 4),
        vector("v2i64", "int64", 2),
        Type::Union {
            id: "vec128",
            fields: &[
                ("v4_float", "v4f"),
                ("v2_double", "v2d"),
                ("v16_int8", "v16i8"),
                ("v8_int16", "v8i16"),
                ("v4_int32", "v4i32"),
                ("v2_int64", "v2i64"),
                ("uint128", "uint128"),
            ],
        },
        Type::Flags { id: "i386_mxcsr", bytes: 4, bits: MXCSR },
    ]
}

/// The modes by the numbers of [`super::system::mode_number`].
const MODES: &[(&str, u32)] = &[
    ("real", 0),
    ("v86", 1),
    ("prot16", 2),
    ("prot32", 3),
    ("compat16", 4),
    ("compat32", 5),
    ("long64", 6),
];

/// SDM vol. 1, 3.4.3.
const EFLAGS: &[Bits] = &[
    ("CF", 0, 0),
    ("", 1, 1),
    ("PF", 2, 2),
    ("AF", 4, 4),
    ("ZF", 6, 6),
    ("SF", 7, 7),
    ("TF", 8, 8),
    ("IF", 9, 9),
    ("DF", 10, 10),
    ("OF", 11, 11),
    ("IOPL", 12, 13),
    ("NT", 14, 14),
    ("RF", 16, 16),
    ("VM", 17, 17),
    ("AC", 18, 18),
    ("VIF", 19, 19),
    ("VIP", 20, 20),
    ("ID", 21, 21),
];

/// SDM vol. 1, 10.2.3.
const MXCSR: &[Bits] = &[
    ("IE", 0, 0),
    ("DE", 1, 1),
    ("ZE", 2, 2),
    ("OE", 3, 3),
    ("UE", 4, 4),
    ("PE", 5, 5),
    ("DAZ", 6, 6),
    ("IM", 7, 7),
    ("DM", 8, 8),
    ("ZM", 9, 9),
    ("OM", 10, 10),
    ("UM", 11, 11),
    ("PM", 12, 12),
    ("RC", 13, 14),
    ("FZ", 15, 15),
];

/// SDM vol. 3A, 2.5.
const CR0: &[Bits] = &[
    ("PE", 0, 0),
    ("MP", 1, 1),
    ("EM", 2, 2),
    ("TS", 3, 3),
    ("ET", 4, 4),
    ("NE", 5, 5),
    ("WP", 16, 16),
    ("AM", 18, 18),
    ("NW", 29, 29),
    ("CD", 30, 30),
    ("PG", 31, 31),
];

/// SDM vol. 3A, 2.5.
const CR4: &[Bits] = &[
    ("VME", 0, 0),
    ("PVI", 1, 1),
    ("TSD", 2, 2),
    ("DE", 3, 3),
    ("PSE", 4, 4),
    ("PAE", 5, 5),
    ("MCE", 6, 6),
    ("PGE", 7, 7),
    ("PCE", 8, 8),
    ("OSFXSR", 9, 9),
    ("OSXMMEXCPT", 10, 10),
    ("UMIP", 11, 11),
    ("LA57", 12, 12),
    ("VMXE", 13, 13),
    ("SMXE", 14, 14),
    ("FSGSBASE", 16, 16),
    ("PCIDE", 17, 17),
    ("OSXSAVE", 18, 18),
    ("SMEP", 20, 20),
    ("SMAP", 21, 21),
    ("PKE", 22, 22),
    ("CET", 23, 23),
    ("PKS", 24, 24),
];

/// AMD APM vol. 2, 3.1.7.
const EFER: &[Bits] = &[
    ("SCE", 0, 0),
    ("LME", 8, 8),
    ("LMA", 10, 10),
    ("NXE", 11, 11),
    ("SVME", 12, 12),
    ("LMSLE", 13, 13),
    ("FFXSR", 14, 14),
    ("TCE", 15, 15),
];

/// SDM vol. 3B, 17.2.3; the bits without a name always read as one.
const DR6: &[Bits] = &[
    ("B0", 0, 0),
    ("B1", 1, 1),
    ("B2", 2, 2),
    ("B3", 3, 3),
    ("BD", 13, 13),
    ("BS", 14, 14),
    ("BT", 15, 15),
];

/// SDM vol. 3B, 17.2.4; fields of several bits are printed even when zero, and those of DR7 say nothing then.
const DR7: &[Bits] = &[
    ("L0", 0, 0),
    ("G0", 1, 1),
    ("L1", 2, 2),
    ("G1", 3, 3),
    ("L2", 4, 4),
    ("G2", 5, 5),
    ("L3", 6, 6),
    ("G3", 7, 7),
    ("LE", 8, 8),
    ("GE", 9, 9),
    ("GD", 13, 13),
];
