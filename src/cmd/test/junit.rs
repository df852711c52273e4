//! JUnit XML, as CI services read it: one suite, a case for each test.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use stepvisor::script::{Failure, Verdict};

use super::Result;

/// The file, which exists from the start on.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    file: fs::File,
}

impl File {
    /// Creates it.
    pub fn create(path: &Path) -> anyhow::Result<File> {
        let file = fs::File::create(path)
            .with_context(|| format!("cannot create the JUnit file {}", path.display()))?;
        Ok(File { path: path.to_owned(), file })
    }

    /// Writes the results.
    pub fn write(self, results: &[Result], time: Duration) -> anyhow::Result<()> {
        let xml = document(results, time)?;
        let mut file = self.file;
        file.write_all(&xml).with_context(|| self.path.display().to_string())
    }
}

fn document(results: &[Result], time: Duration) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let (errors, failures): (Vec<_>, Vec<_>) = results
        .iter()
        .filter(|result| !result.outcome.is_passed())
        .partition(|result| is_error(result.outcome.verdict));
    let counts = [
        ("tests", results.len().to_string()),
        ("failures", failures.len().to_string()),
        ("errors", errors.len().to_string()),
        ("time", seconds(time)),
    ];
    let attributes = || counts.iter().map(|(key, value)| (*key, value.as_str()));
    let name = [("name", "stepvisor")];
    writer
        .create_element("testsuites")
        .with_attributes(name.into_iter().chain(attributes()))
        .write_inner_content(|writer| {
            writer
                .create_element("testsuite")
                .with_attributes(name.into_iter().chain(attributes()))
                .write_inner_content(|writer| {
                    results.iter().try_for_each(|result| case(writer, result))
                })?;
            Ok(())
        })?;
    let mut xml = writer.into_inner();
    xml.push(b'\n');
    Ok(xml)
}

fn case(writer: &mut Writer<Vec<u8>>, result: &Result) -> io::Result<()> {
    let Result { path, outcome, time } = result;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let class = path.parent().unwrap_or(Path::new("")).display().to_string();
    let (file, time) = (path.display().to_string(), seconds(*time));
    let attributes = [("name", &*name), ("classname", &class), ("file", &file), ("time", &time)];
    let attributes: Vec<(&str, String)> =
        attributes.iter().map(|(key, value)| (*key, legal(value))).collect();
    let element = writer
        .create_element("testcase")
        .with_attributes(attributes.iter().map(|(key, value)| (*key, value.as_str())));
    let Some(failure) = &outcome.failure else {
        element.write_empty()?;
        return Ok(());
    };
    element.write_inner_content(|writer| write_failure(writer, outcome.verdict, failure))?;
    Ok(())
}

fn write_failure(
    writer: &mut Writer<Vec<u8>>,
    verdict: Verdict,
    failure: &Failure,
) -> io::Result<()> {
    let element = if is_error(verdict) { "error" } else { "failure" };
    let message = legal(&format!("{}: {}", failure.place, failure.text));
    let attributes = [("type", verdict.word()), ("message", &message)];
    let text = legal(&failure.to_string());
    writer
        .create_element(element)
        .with_attributes(attributes)
        .write_text_content(BytesText::new(&text))?;
    Ok(())
}

/// Whether the test could not be run at all, which JUnit tells from a failure.
fn is_error(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::BuildError
            | Verdict::BadHeader
            | Verdict::GdbCrashed
            | Verdict::Crashed
            | Verdict::CannotRun
    )
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// `text` without the characters that XML cannot hold (XML 1.0, 2.2): a screen may show any.
fn legal(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => c,
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepvisor::script::Outcome;

    #[test]
    fn a_document_has_a_case_for_each_test_and_only_legal_characters() {
        let result = |name: &str, outcome| Result {
            path: name.into(),
            outcome,
            time: Duration::from_millis(1500),
        };
        let failed = Outcome::failed(Verdict::Failed, "t/a.gdb:3", "x < 1 & \"y\"\u{1}");
        let error = Outcome::failed(Verdict::BuildError, "t/b.gdb", "no guest");
        let results = [
            result("t/a.gdb", failed),
            result("t/b.gdb", error),
            result("t/c.gdb", Outcome::PASSED),
        ];
        let xml = document(&results, Duration::from_secs(2)).unwrap();
        let xml = String::from_utf8(xml).unwrap();
        assert!(xml.contains(r#"tests="3" failures="1" errors="1" time="2.000""#), "{xml}");
        assert!(xml.contains(r#"<testcase name="c" classname="t" file="t/c.gdb" time="1.500"/>"#));
        assert!(xml.contains(r#"<failure type="failed" message="t/a.gdb:3: x &lt; 1"#), "{xml}");
        assert!(xml.contains("<error type=\"build error\""), "{xml}");
        assert!(!xml.contains('\u{1}'));
    }
}
