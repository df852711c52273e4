//! The script for gdb's own side: commands and the unwinder, as one text that `source` and `-x` take.
//!
//! Its parts are Python modules in `scripts/gdb`. They are put together here, since what is piped to gdb has no
//! directory to import from. A gdb without Python says one sentence and goes on.

/// The modules, each before those that import it. No text in them may hold three single quotes, or a line
/// that is `end`: the one would end the text for Python, the other for gdb.
macro_rules! module {
    ($name:literal) => {
        concat!(
            "stepvisor_module('",
            $name,
            "', r'''",
            include_str!(concat!("../../scripts/gdb/", $name, ".py")),
            "''')\n"
        )
    };
}

/// The whole script.
pub const SCRIPT: &str = concat!(
    include_str!("../../scripts/gdb/begin.gdb"),
    module!("server"),
    module!("cfi"),
    module!("unwinder"),
    module!("commands"),
    module!("prompt"),
    include_str!("../../scripts/gdb/end.gdb"),
);

#[cfg(test)]
mod tests {
    use super::SCRIPT;

    #[test]
    fn the_script_is_one_block_that_ends_where_it_should() {
        let ends: Vec<usize> = (1..)
            .zip(SCRIPT.lines())
            .filter(|(_, line)| line.trim() == "end")
            .map(|(number, _)| number)
            .collect();
        let lines = SCRIPT.lines().count();
        assert_eq!(ends, [lines - 1, lines], "of Python, and of `if`");
        let modules = SCRIPT.matches("stepvisor_module('").count();
        assert_eq!(SCRIPT.matches("'''").count(), 2 * modules);
    }
}
