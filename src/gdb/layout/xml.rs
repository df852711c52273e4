//! Target descriptions in XML (gdb manual, appendix G), written from the table.

use std::fmt::Write;

use super::table::{Description, Feature, Row};
use super::types::{self, Type};

/// The target description that lists `rows`.
///
/// The OS ABI is said to be none: without that, gdb guesses GNU/Linux and warns that it cannot have it.
pub(super) fn target_xml(description: Description, rows: &[Row]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n",
    );
    put(&mut xml, format_args!("<architecture>{}</architecture>\n", description.architecture()));
    xml.push_str("<osabi>none</osabi>\n");
    for feature in Feature::ALL {
        let numbered = rows.iter().enumerate();
        let mut members = numbered.filter(|(_, row)| row.feature == feature).peekable();
        if members.peek().is_none() {
            continue;
        }
        put(&mut xml, format_args!("<feature name=\"{}\">\n", feature.name()));
        for kind in types::of(feature) {
            put_type(&mut xml, &kind);
        }
        for (number, row) in members {
            put_register(&mut xml, number, row);
        }
        xml.push_str("</feature>\n");
    }
    xml.push_str("</target>\n");
    xml
}

fn put_register(xml: &mut String, number: usize, row: &Row) {
    let Row { name, bits, kind, group, .. } = row;
    put(
        xml,
        format_args!("<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\" regnum=\"{number}\""),
    );
    if let Some(group) = group {
        put(xml, format_args!(" group=\"{group}\""));
    }
    xml.push_str("/>\n");
}

fn put_type(xml: &mut String, kind: &Type) {
    match kind {
        Type::Flags { id, bytes, bits } => {
            put(xml, format_args!("<flags id=\"{id}\" size=\"{bytes}\">\n"));
            for (name, start, end) in *bits {
                let kind = if start == end { "bool" } else { "uint8" };
                put(
                    xml,
                    format_args!(
                        "<field name=\"{name}\" start=\"{start}\" end=\"{end}\" type=\"{kind}\"/>\n"
                    ),
                );
            }
            xml.push_str("</flags>\n");
        }
        Type::Enum { id, bytes, values } => {
            put(xml, format_args!("<enum id=\"{id}\" size=\"{bytes}\">\n"));
            for (name, value) in *values {
                put(xml, format_args!("<evalue name=\"{name}\" value=\"{value}\"/>\n"));
            }
            xml.push_str("</enum>\n");
        }
        Type::Vector { id, element, count } => {
            put(xml, format_args!("<vector id=\"{id}\" type=\"{element}\" count=\"{count}\"/>\n"));
        }
        Type::Union { id, fields } => {
            put(xml, format_args!("<union id=\"{id}\">\n"));
            for (name, kind) in *fields {
                put(xml, format_args!("<field name=\"{name}\" type=\"{kind}\"/>\n"));
            }
            xml.push_str("</union>\n");
        }
    }
}

/// Appends `text`; writing to a string cannot fail.
fn put(xml: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = xml.write_fmt(text);
}
