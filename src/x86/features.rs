//! What CPUID offers to a guest, as far as it decides which instructions there are (SDM vol. 2A, CPUID).

/// An extension that a processor may have or not. Without it its instructions are #UD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// CMPXCHG16B.
    Cmpxchg16b,
    /// SSE4.2, and CRC32 with it.
    Sse42,
    /// MOVBE.
    Movbe,
    /// POPCNT.
    Popcnt,
    /// XGETBV and XSETBV, and what saves state by them.
    Xsave,
    /// RDRAND.
    Rdrand,
    /// BMI1. Without it TZCNT is BSF.
    Bmi1,
    /// BMI2.
    Bmi2,
    /// RDSEED.
    Rdseed,
    /// ADCX and ADOX.
    Adx,
    /// CLAC and STAC.
    Smap,
    /// CLWB.
    Clwb,
    /// RDTSCP.
    Rdtscp,
}

/// A register that CPUID answers in.
#[derive(Clone, Copy)]
enum Answer {
    Ebx = 1,
    Ecx = 2,
    Edx = 3,
}

impl Feature {
    const ALL: [Feature; 13] = [
        Feature::Cmpxchg16b,
        Feature::Sse42,
        Feature::Movbe,
        Feature::Popcnt,
        Feature::Xsave,
        Feature::Rdrand,
        Feature::Bmi1,
        Feature::Bmi2,
        Feature::Rdseed,
        Feature::Adx,
        Feature::Smap,
        Feature::Clwb,
        Feature::Rdtscp,
    ];

    /// Leaf, register and bit. The subleaf is 0.
    fn place(self) -> (u32, Answer, u32) {
        match self {
            Feature::Cmpxchg16b => (1, Answer::Ecx, 13),
            Feature::Sse42 => (1, Answer::Ecx, 20),
            Feature::Movbe => (1, Answer::Ecx, 22),
            Feature::Popcnt => (1, Answer::Ecx, 23),
            Feature::Xsave => (1, Answer::Ecx, 26),
            Feature::Rdrand => (1, Answer::Ecx, 30),
            Feature::Bmi1 => (7, Answer::Ebx, 3),
            Feature::Bmi2 => (7, Answer::Ebx, 8),
            Feature::Rdseed => (7, Answer::Ebx, 18),
            Feature::Adx => (7, Answer::Ebx, 19),
            Feature::Smap => (7, Answer::Ebx, 20),
            Feature::Clwb => (7, Answer::Ebx, 24),
            Feature::Rdtscp => (0x8000_0001, Answer::Edx, 27),
        }
    }
}

/// What a processor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    intel: bool,
    offered: u32,
}

impl Features {
    /// Every [`Feature`], on a processor whose maker is Intel or not.
    #[must_use]
    pub fn all(intel: bool) -> Features {
        let offered = Feature::ALL.iter().fold(0, |all, feature| all | 1 << *feature as u32);
        Features { intel, offered }
    }

    /// From the answers of CPUID: EAX, EBX, ECX and EDX of a leaf and its subleaf 0, all 0 for a leaf that
    /// does not exist.
    #[must_use]
    pub fn from_cpuid(answer: impl Fn(u32) -> [u32; 4]) -> Features {
        /// The first four letters of the maker's name, in EBX of leaf 0.
        const GENUINE: u32 = u32::from_le_bytes(*b"Genu");
        let mut offered = 0;
        for feature in Feature::ALL {
            let (leaf, register, bit) = feature.place();
            offered |= (answer(leaf)[register as usize] >> bit & 1) << feature as u32;
        }
        Features { intel: answer(0)[Answer::Ebx as usize] == GENUINE, offered }
    }

    /// Whether it has `feature`.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        self.offered >> feature as u32 & 1 != 0
    }

    /// The same without `feature`.
    #[must_use]
    pub fn without(self, feature: Feature) -> Features {
        Features { offered: self.offered & !(1 << feature as u32), ..self }
    }

    /// Whether CPUID names Intel as its maker: a few instructions differ.
    #[must_use]
    pub fn is_intel(self) -> bool {
        self.intel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_has_a_bit_of_its_own() {
        for feature in Feature::ALL {
            let (leaf, register, bit) = feature.place();
            let found = Features::from_cpuid(|asked| {
                let mut answer = [0; 4];
                if asked == leaf {
                    answer[register as usize] = 1 << bit;
                }
                answer
            });
            let only = Feature::ALL.into_iter().filter(|other| found.has(*other));
            assert_eq!(only.collect::<Vec<_>>(), [feature]);
            assert!(!Features::all(false).without(feature).has(feature));
        }
    }

    #[test]
    fn the_maker_is_known_by_its_name() {
        let maker = |ebx: &[u8; 4]| {
            let ebx = u32::from_le_bytes(*ebx);
            Features::from_cpuid(|leaf| if leaf == 0 { [7, ebx, 0, 0] } else { [0; 4] })
        };
        assert!(maker(b"Genu").is_intel());
        assert!(!maker(b"Auth").is_intel());
    }
}
