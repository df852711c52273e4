//! The files that docs/editors.md shows.

use std::path::Path;

use serde_json::Value;

const PAGE: &str = include_str!("../../docs/editors.md");

/// The JSON that the page shows and that has `key`, its workspace being `workspace`.
#[track_caller]
fn file(key: &str, workspace: &Path) -> Value {
    let blocks = PAGE.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let text = blocks.into_iter().find(|block| block.contains(&format!("\"{key}\""))).unwrap();
    let text = text.replace("${workspaceFolder}", workspace.to_str().unwrap());
    assert!(!text.contains("${"), "a variable that is not replaced: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{key}: {error}"))
}

/// The launch configuration.
pub fn launch(workspace: &Path) -> Value {
    file("configurations", workspace)["configurations"][0].clone()
}

/// The task that `launch` starts before it.
pub fn task(workspace: &Path, launch: &Value) -> Value {
    let tasks = file("tasks", workspace);
    let tasks = tasks["tasks"].as_array().unwrap();
    tasks.iter().find(|task| task["label"] == launch["preLaunchTask"]).unwrap().clone()
}

/// The lldb commands that the page shows.
pub fn lldb_commands() -> Vec<&'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix("(lldb) ")).collect()
}

/// A text of a configuration.
#[track_caller]
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {value}"))
}
