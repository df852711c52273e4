//! What does not work, by host: `known.txt`, which has no entry that is not needed.

use std::path::Path;

/// A case that fails as is known.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// `todo`: to be done here. `host`: impossible on this host. `kills`: not tried, since it ends the host. `chance`:
    /// not tried, since it depends on how fast the host is.
    pub kind: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// The kind of KVM that runs the suite: `pvm`, `amd`, `intel` or `other`, or the rig's name on a rig.
pub fn host() -> String {
    if let Ok(name) = std::env::var("STEPVISOR_RIG") {
        return name;
    }
    let loaded = |name: &&str| Path::new("/sys/module").join(format!("kvm_{name}")).exists();
    ["pvm", "amd", "intel"].iter().find(|name| loaded(name)).unwrap_or(&"other").to_string()
}

/// What is known of `case` in `mode` on `host`.
pub fn known(host: &str, mode: &str, case: &str) -> Option<Known> {
    entries().find_map(|[hosts, kind, modes, name, reason]| {
        let has = |list: &str, item: &str| list == "*" || list.split(',').any(|one| one == item);
        let fits = has(hosts, host) && has(modes, mode) && is_named(name, case);
        fits.then_some(Known { kind, reason })
    })
}

/// Whether `name` stands for `case`: it is its name, or ends in `*` after the beginning of it.
fn is_named(name: &str, case: &str) -> bool {
    name.strip_suffix('*').map_or(name == case, |beginning| case.starts_with(beginning))
}

/// Lines that are no entries, and entries for cases that do not exist.
pub fn faults(cases: &[&str]) -> Vec<String> {
    let malformed = lines().filter(|line| fields(line).is_none()).map(str::to_owned);
    let lost = entries()
        .filter(|entry| !cases.iter().any(|case| is_named(entry[3], case)))
        .map(|entry| format!("no case is called '{}'", entry[3]));
    malformed.chain(lost).collect()
}

fn lines() -> impl Iterator<Item = &'static str> {
    let all = include_str!("known.txt").lines();
    all.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn entries() -> impl Iterator<Item = [&'static str; 5]> {
    lines().filter_map(fields)
}

fn fields(line: &'static str) -> Option<[&'static str; 5]> {
    let fields: Vec<_> = line.split('|').map(str::trim).collect();
    let fields: [&str; 5] = fields.try_into().ok()?;
    (matches!(fields[1], "todo" | "host" | "kills" | "chance") && !fields[4].is_empty())
        .then_some(fields)
}
