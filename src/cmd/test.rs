//! `stepvisor test`: finds tests, has them run by processes of its own, and tells what came of them.

mod junit;
mod pool;
mod report;
mod tap;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use stepvisor::script::{Golden, Options, Outcome, discover};

use crate::cli::Test;
use crate::exit_code::{ExitCode, Failure};
use report::Report;

/// A test that has been run.
#[derive(Clone, Debug)]
struct Result {
    /// Its path.
    path: PathBuf,
    outcome: Outcome,
    time: Duration,
}

/// Carries out `stepvisor test`.
pub fn run(args: &Test) -> anyhow::Result<ExitCode> {
    let options = Options {
        gdb: args.gdb.clone(),
        timeout: args.timeout,
        golden: if args.bless { Golden::Bless } else { Golden::Compare },
        ..Options::default()
    };
    if args.worker {
        pool::work(&options)?;
        return Ok(ExitCode::Success);
    }
    let found = discover::find(&args.paths)
        .map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))?;
    let number = found.len();
    let matches = |path: &Path| {
        let path = path.to_string_lossy();
        args.filters.is_empty() || args.filters.iter().any(|text| path.contains(text.as_str()))
    };
    let tests: Vec<PathBuf> = found.into_iter().filter(|path| matches(path)).collect();
    if tests.is_empty() {
        let text = match number {
            0 => "there is no test (*.gdb) in what was named".to_owned(),
            _ => format!("none of {number} tests has a path with what --filter asks for"),
        };
        return Err(Failure::new(ExitCode::Usage, text).into());
    }
    // Never empty-handed by mistake, but some machine may be one too many.
    let tests = args.shard.map_or(tests.clone(), |shard| shard.part(tests));
    let filtered = number - tests.len();
    if args.list {
        report::list(&tests);
        return Ok(ExitCode::Success);
    }
    // Told now, not after all the tests.
    let junit = args.junit.as_deref().map(junit::File::create).transpose()?;

    let jobs = args.jobs.map_or_else(processors, usize::from).min(tests.len());
    let mut report: Box<dyn Report> = match args.tap {
        true => Box::new(tap::Tap::new(tests.len())),
        false => Box::new(report::Lines::new(tests.len())),
    };
    let start = Instant::now();
    let mut results = pool::run(&tests, jobs, args, &options, |result| report.result(result))?;
    let time = start.elapsed();
    results.sort_by(|a, b| a.path.cmp(&b.path));
    report.end(&results, filtered, time);
    if let Some(file) = junit {
        file.write(&results, time).context("cannot write the JUnit file")?;
    }
    let passed = results.iter().all(|result| result.outcome.is_passed());
    Ok(if passed { ExitCode::Success } else { ExitCode::Test })
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}
