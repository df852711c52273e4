//! A test with gdb: a server for the machine, a gdb that executes the script, and what the two say in the end.
//!
//! gdb runs the program in `prelude.py`, which executes the commands one by one and notes in a file what
//! happens. What it wants to know of the machine it asks by `monitor stepvisor-test`; see `answer.rs`.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use super::alone;
use super::answer::{Answerer, Live};
use super::check::{self, Mismatch, compare_file};
use super::clock::Clock;
use super::ending::Ending;
use super::guest::Guest;
use super::judge::{self, Finding};
use super::test::{NOTHING_ASSERTED, Options, Test};
use super::transcript::filter;
use super::verdict::{Outcome, Verdict};
use crate::gdb::client::{Client, Target};
use crate::gdb::segments::Segments;
use crate::gdb::server::{End, Server};
use crate::gdb::transport::{Address, Listener};
use crate::machine::observer::Deaf;
use crate::machine::{Config, Machine, StopReason};

/// What gdb executes.
const PRELUDE: &str = include_str!("prelude.py");
/// What gdb is told before anything else: to ask nothing, to refuse breakpoints at what does not exist, and to
/// print alike everywhere.
const SETTINGS: [&str; 5] = [
    "set confirm off",
    "set breakpoint pending off",
    "set width 0",
    "set height 0",
    "set style enabled off",
];
/// How many of gdb's last lines a report shows.
const SHOWN_LINES: usize = 12;
/// What `scripts/gdb/begin.gdb` says in a gdb without Python.
const NO_PYTHON: &str = "stepvisor: this gdb has no Python";
/// How long gdb may take to end after its guest.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than that of a transcript is not kept.
const MOST_OUTPUT: usize = 16 << 20;

/// Something that the prelude noted.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    /// It began to execute a line.
    Line { line: usize },
    /// Something is not as it should be.
    Fail {
        verdict: String,
        line: usize,
        text: String,
        expected: Option<String>,
        found: Option<String>,
    },
    /// It has come to its end.
    End,
}

/// What came of running gdb.
struct Played {
    status: io::Result<ExitStatus>,
    output: Vec<u8>,
    /// The line that was executed when the time was over, if it was.
    over_time: Option<usize>,
    end: End,
}

/// Runs `test`, whose machine is `machine`.
pub(super) fn run(
    test: &Test,
    options: &Options,
    guest: &Guest,
    config: &Config,
    machine: &mut Machine,
) -> Outcome {
    let symbols = guest.symbols.as_deref();
    let cannot = |text: String| Outcome::failed(Verdict::CannotRun, test.name.clone(), text);
    let directory = match tempfile::Builder::new().prefix("sv").tempdir() {
        Ok(directory) => directory,
        Err(error) => return cannot(format!("cannot make a temporary directory: {error}")),
    };
    let live = Rc::new(RefCell::new(Live::default()));
    let played = match play(test, options, symbols, machine, &directory, &live) {
        Ok(played) => played,
        Err(text) => return cannot(text),
    };
    let live = live.take();
    let events = events(&directory.path().join("events"));
    let here = std::env::current_dir().unwrap_or_default();
    let transcript = filter(&String::from_utf8_lossy(&played.output), directory.path(), &here);
    let finding = judge_all(test, options, machine, live, &played, &events, &transcript);
    let Some(finding) = finding else { return Outcome::PASSED };
    let mut outcome = test.outcome(finding, symbols, config, machine);
    if let Some(failure) = &mut outcome.failure {
        let lines: Vec<&str> = transcript.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        failure.gdb = shown.iter().map(|line| (*line).to_owned()).collect();
    }
    outcome
}

/// Starts gdb and serves it to its end.
fn play(
    test: &Test,
    options: &Options,
    symbols: Option<&Path>,
    machine: &mut Machine,
    directory: &TempDir,
    live: &Rc<RefCell<Live>>,
) -> Result<Played, String> {
    let client = Client {
        gdb: &options.gdb,
        directory: directory.path(),
        loads_script: true,
        symbols,
        target: Target::Started,
    };
    let address = Address::Unix(client.socket());
    let listener = Listener::bind(&address, false).map_err(|error| error.to_string())?;
    let failed = |error: io::Error| error.to_string();
    let command = client.command(machine.boot()).map_err(unprepared)?;
    let mut server = Server::new(machine, listener, Box::new(Deaf)).map_err(failed)?;
    server.expect_no_architecture();
    if let Some(symbols) = symbols {
        server.know_segments(Segments::read(symbols).map_err(failed)?);
    }
    server.stop_at_waits();
    let answerer = Answerer { test: test.clone(), golden: options.golden, live: Rc::clone(live) };
    server.extend_monitor(Box::new(move |machine, line| answerer.answer(machine, line)));

    let (mut child, output) = start_gdb(test, &client, command)?;
    let stopper = server.stopper();
    let at_end = server.stopper();
    let reached = Arc::new(AtomicUsize::new(0));
    let (noted, noting) = (directory.path().join("events"), Arc::clone(&reached));
    let clock = Clock::start(test.timeout(options), move || {
        // Before gdb loses its guest and goes on.
        noting.store(last_line(&events(&noted)), Ordering::SeqCst);
        at_end.stop();
    });
    let clock = clock.map_err(failed)?;
    // The end of its output is gdb's end: nothing that it started is waited for.
    let (sender, whole) = channel();
    thread::Builder::new()
        .name("gdb output".to_owned())
        .spawn(move || {
            let _ = sender.send(read_all(output));
            stopper.stop();
        })
        .map_err(failed)?;
    let end = server.serve().map_err(failed)?;
    let over_time = clock.is_over().then(|| reached.load(Ordering::SeqCst));
    let output = see_off(&mut child, &whole, over_time.is_some());
    let status = child.wait();
    Ok(Played { status, output, over_time, end })
}

/// gdb's whole output, once it has ended; it is ended `at_once`, or if it does not end by itself.
fn see_off(child: &mut Child, whole: &Receiver<Vec<u8>>, at_once: bool) -> Vec<u8> {
    // gdb may outlive its guest: `kill` ends the guest only.
    let patience = if at_once { Duration::ZERO } else { PATIENCE };
    match whole.recv_timeout(patience) {
        Ok(output) => output,
        Err(_) => {
            // Its group, for what it has started may hold its output. Fails only if all have ended already.
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            whole.recv().unwrap_or_default()
        }
    }
}

fn read_all(mut output: io::PipeReader) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 1 << 14];
    loop {
        match output.read(&mut buffer) {
            Ok(0) | Err(_) => return all,
            Ok(len) if all.len() < MOST_OUTPUT => all.extend_from_slice(&buffer[..len]),
            Ok(_) => {}
        }
    }
}

fn unprepared(error: io::Error) -> String {
    format!("cannot prepare gdb: {error}")
}

fn start_gdb(
    test: &Test,
    client: &Client<'_>,
    mut command: Command,
) -> Result<(Child, io::PipeReader), String> {
    let failed = unprepared;
    let directory = client.directory;
    let prelude = directory.join("prelude.py");
    fs::write(&prelude, PRELUDE).map_err(failed)?;
    let words: Vec<&str> = check::KEYS.iter().filter_map(|key| key.split(' ').next()).collect();
    let task = directory.join("task");
    let content = json!({
        "lines": test.script,
        "events": directory.join("events"),
        "checks": words,
        "errors_are_shown": test.header.errors_are_shown,
        "must_assert": test.script_must_assert(),
    });
    fs::write(&task, content.to_string()).map_err(failed)?;

    let (reader, writer) = io::pipe().map_err(failed)?;
    command.args(["-nx", "-batch"]);
    SETTINGS.iter().for_each(|setting| {
        command.args(["-iex", setting]);
    });
    // Where the guest's source is found by its last component.
    if let Some(parent) = test.header.guest.parent().filter(|path| path.is_dir()) {
        command.arg("-d").arg(parent);
    }
    command.arg("-x").arg(prelude);
    command
        .env("STEPVISOR_TASK", task)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .env_remove("DEBUGINFOD_URLS")
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer)
        // ^C is for the runner, which ends its gdb by itself.
        .process_group(0);
    let child = command.spawn().map_err(|error| client.not_started(&error))?;
    // `command` is dropped here, and with it the writing ends of ours.
    Ok((child, reader))
}

fn events(path: &Path) -> Vec<Event> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may be half written, if gdb was ended.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The line that the prelude has come to.
fn last_line(events: &[Event]) -> usize {
    let line = events.iter().rev().find_map(|event| match event {
        Event::Line { line } => Some(*line),
        _ => None,
    });
    line.unwrap_or(0)
}

/// What is wrong, if anything is: what ended the test first.
fn judge_all(
    test: &Test,
    options: &Options,
    machine: &mut Machine,
    live: Live,
    played: &Played,
    events: &[Event],
    transcript: &str,
) -> Option<Finding> {
    let Live { finding, snapshot, finished } = live;
    if let Some(finding) = finding {
        return Some(*finding);
    }
    let line = last_line(events);
    match played.over_time {
        Some(line) if test.header.ends != Some(Ending::Timeout) => {
            let time = alone::words(test.timeout(options));
            let text = format!("the test is not over after {time}");
            return Some(Finding::new(Verdict::Hang, line, text).at(machine));
        }
        Some(_) => return judge_end(test, options, machine, played).map(|finding| *finding),
        None => {}
    }
    if let Some(finding) = events.iter().find_map(failure) {
        return Some(Finding { snapshot, ..finding });
    }
    if let Some(StopReason::HostFailure(text)) = machine.last_stop() {
        return Some(Finding::new(Verdict::CannotRun, line, text.clone()));
    }
    let ended = events.iter().any(|event| matches!(event, Event::End));
    if !ended && transcript.contains(NO_PYTHON) {
        let text = "this gdb has no Python, which tests need: install gdb, not gdb-minimal";
        return Some(Finding::new(Verdict::CannotRun, 0, text));
    }
    if !ended {
        return Some(Finding::new(Verdict::GdbCrashed, line, gdb_end(&played.status)).at(machine));
    }
    if !finished && let Some(finding) = judge_end(test, options, machine, played) {
        return Some(*finding);
    }
    let (line, path) = test.header.transcript.as_ref()?;
    let mismatch = compare_file(path, transcript, options.golden).err()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let finding = Finding::new(Verdict::Failed, *line, format!("transcript: {name}"));
    Some(Finding { mismatch: Some(mismatch), ..finding })
}

/// Judges the header without gdb: it has left the guest, or its time was over.
fn judge_end(
    test: &Test,
    options: &Options,
    machine: &mut Machine,
    played: &Played,
) -> Option<Box<Finding>> {
    let header = &test.header;
    let has_ended = machine.last_stop().and_then(Ending::of).is_some();
    if let Some(expected) = header.ends
        && played.over_time.is_none()
        && !matches!(played.end, End::Exited { .. })
    {
        machine.breakpoints_mut().clear();
        machine.take_kick();
        if !has_ended {
            let time = test.timeout(options);
            if alone::run_to_end(machine, time).unwrap_or(true) {
                let text = format!("the guest still runs after {}", alone::words(time));
                let finding = Finding::new(Verdict::Hang, header.ends_line, text);
                return Some(Box::new(finding.at(machine)));
            }
        }
        if let Err(finding) = judge::ending(expected, header.ends_line, machine) {
            return Some(finding);
        }
    }
    judge::checks(header, machine, options.golden).err()
}

/// What the prelude says is wrong.
fn failure(event: &Event) -> Option<Finding> {
    let Event::Fail { verdict, line, text, expected, found } = event else { return None };
    let verdict = match verdict.as_str() {
        "failed" => Verdict::Failed,
        "not reached" => Verdict::NotReached,
        "no assertion" => return Some(Finding::new(Verdict::NoAssertion, 0, NOTHING_ASSERTED)),
        _ => Verdict::GdbError,
    };
    let mismatch = expected.as_ref().map(|expected| Mismatch {
        expected: expected.clone(),
        found: found.clone().unwrap_or_default(),
    });
    Some(Finding { mismatch, ..Finding::new(verdict, *line, text.clone()) })
}

fn gdb_end(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => {
                format!("gdb ended before the script was over, with exit code {code}")
            }
            (None, signal) => {
                format!("gdb was ended by signal {}", signal.unwrap_or_default())
            }
        },
        Err(error) => format!("gdb was lost: {error}"),
    }
}
