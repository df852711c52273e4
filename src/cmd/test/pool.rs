//! The processes that run the tests, a few at a time.
//!
//! Each gets the path of a test on its standard input, and answers with its outcome, again and again. A test
//! that takes its process down is a verdict, and the next one gets another process.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use stepvisor::script::{self, Options, Outcome, Verdict};

use super::Result;
use crate::cli::Test;

/// How much longer than a test may take its process may, before it is ended.
const GRACE: Duration = Duration::from_secs(60);

/// Runs tests whose paths come on standard input.
pub fn work(options: &Options) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let path: PathBuf = serde_json::from_str(&line?)?;
        let outcome = script::Test::read(&path).map_or_else(|bad| bad, |test| test.run(options));
        writeln!(stdout, "{}", serde_json::to_string(&outcome)?)?;
        stdout.flush()?;
    }
    Ok(())
}

/// Runs `tests`, `jobs` at a time, and hands each result to `each` as it comes.
pub fn run(
    tests: &[PathBuf],
    jobs: usize,
    args: &Test,
    options: &Options,
    mut each: impl FnMut(&Result),
) -> anyhow::Result<Vec<Result>> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let waiting = Mutex::new(tests.iter());
    let (sender, receiver) = channel();
    let mut results = Vec::new();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (waiting, program, sender) = (&waiting, &program, sender.clone());
            scope.spawn(move || {
                let mut worker = None;
                loop {
                    let next = waiting.lock().ok().and_then(|mut tests| tests.next());
                    let Some(path) = next else { return };
                    let start = Instant::now();
                    let outcome = run_one(&mut worker, path, program, args, options);
                    let time = start.elapsed();
                    // Nobody is left to tell only if the whole has failed.
                    let _ = sender.send(Result { path: path.clone(), outcome, time });
                }
            });
        }
        drop(sender);
        for result in receiver {
            each(&result);
            results.push(result);
        }
    });
    Ok(results)
}

/// Has `worker` run a test; starts one if there is none, and leaves none if it is lost.
fn run_one(
    worker: &mut Option<Worker>,
    path: &Path,
    program: &Path,
    args: &Test,
    options: &Options,
) -> Outcome {
    // A header that makes no sense needs no machine.
    let test = match script::Test::read(path) {
        Ok(test) => test,
        Err(outcome) => return outcome,
    };
    let failed = |verdict, text: String| Outcome::failed(verdict, &test.name, text);
    if worker.is_none() {
        match Worker::start(program, args) {
            Ok(started) => *worker = Some(started),
            Err(error) => {
                return failed(Verdict::CannotRun, format!("cannot start a process: {error}"));
            }
        }
    }
    let Some(mut running) = worker.take() else {
        return failed(Verdict::CannotRun, "there is no process".to_owned());
    };
    match running.run(path, test.timeout(options).saturating_mul(2) + GRACE) {
        Ok(outcome) => {
            *worker = Some(running);
            outcome
        }
        Err(Lost::Ended) => failed(Verdict::Crashed, running.end()),
        Err(Lost::Late) => {
            running.kill();
            failed(Verdict::Hang, "the machine could not be stopped in time".to_owned())
        }
    }
}

/// Why there is no outcome.
enum Lost {
    /// The process ended.
    Ended,
    /// It took too long.
    Late,
}

/// A process that runs tests.
struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Worker {
    fn start(program: &Path, args: &Test) -> io::Result<Worker> {
        let mut command = Command::new(program);
        command.args(["test", "--worker", "--gdb"]).arg(&args.gdb);
        command.arg("--timeout").arg(format!("{}ms", args.timeout.as_millis()));
        if args.bless {
            command.arg("--bless");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take();
        let (sender, answers) = channel();
        thread::Builder::new().name("test results".to_owned()).spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            for line in lines.map_while(io::Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Worker { child, input, answers })
    }

    fn run(&mut self, path: &Path, patience: Duration) -> std::result::Result<Outcome, Lost> {
        let line = serde_json::to_string(path).map_err(|_| Lost::Ended)?;
        let input = self.input.as_mut().ok_or(Lost::Ended)?;
        writeln!(input, "{line}").map_err(|_| Lost::Ended)?;
        let answer = self.answers.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => Lost::Late,
            RecvTimeoutError::Disconnected => Lost::Ended,
        })?;
        serde_json::from_str(&answer).map_err(|_| Lost::Ended)
    }

    /// How it ended.
    fn end(&mut self) -> String {
        self.input = None;
        match self.child.wait() {
            Ok(status) => match status.signal() {
                Some(signal) => {
                    format!("the process that ran the test was ended by signal {signal}")
                }
                None => format!("the process that ran the test ended: {status}"),
            },
            Err(error) => format!("the process that ran the test was lost: {error}"),
        }
    }

    fn kill(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its input is its end.
        self.input = None;
        let _ = self.child.wait();
    }
}
