//! `stepvisor run`: boots a guest, runs it until it ends, prints its screen.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use stepvisor::devices::frame::Frame;
use stepvisor::machine::trace::Trace;
use stepvisor::machine::{Machine, StopReason};
use stepvisor::ui;

use super::console::{Console, is_one_terminal, wants_colours};
use super::end::End;
use super::interruptions::{Interruption, Interruptions};
use super::line_terminal::LineTerminal;
use super::live;
use super::report::{self, Heard};
use crate::cli::Run;
use crate::exit_code::{ExitCode, Failure};

/// Carries out `stepvisor run`.
pub fn run(args: &Run) -> anyhow::Result<ExitCode> {
    for path in &args.screen {
        // Better now than after a run whose screen is then lost.
        ui::ScreenFormat::of(path)
            .map_err(|error| Failure::new(ExitCode::Usage, format!("--screen: {error}")))?;
        check_writable(path)
            .with_context(|| format!("cannot write the screen to `{}`", path.display()))?;
    }
    if let Some(path) = &args.report {
        check_writable(path)
            .with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    let mut machine = args.guest.machine()?;
    let heard = Heard::default();
    let mut console = Console::default();
    if args.report.is_some() {
        console = console.keeping(heard.clone());
    }
    let line = console.line();
    for port in args.guest.ports_on_stdout() {
        machine.set_serial_sink(port, line.shared_by_stdout())?;
    }
    if let Some(path) = &args.trace {
        machine.set_trace(create_trace(path)?);
    }

    let interruptions = Interruptions::watch(machine.kicker(), args.timeout)?;
    let start = Instant::now();
    let end = if live::is_wanted(args) {
        live::run(&mut machine, args, console, &interruptions)?
    } else {
        machine.set_observer(Box::new(console));
        machine.tell_of_missing_signature();
        let terminal = args.guest.uses_stdin().then(LineTerminal::take);
        let end = run_to_end(&mut machine, &interruptions);
        if end.is_the_guests() {
            machine.look_back_for_padding();
        }
        match end {
            // Who is done with the guest's console has not asked for its registers.
            End::Interruption(Interruption::Keyboard)
                if terminal.as_ref().is_some_and(LineTerminal::is_taken) =>
            {
                // What the guest has sent may end in the midst of a line.
                if !is_one_terminal() {
                    say!("");
                }
                End::Left
            }
            end => end,
        }
    };
    let elapsed = start.elapsed();

    if is_one_terminal() {
        line.end();
    }
    let printed = print_screen(&machine);
    if !matches!(end, End::Stop(StopReason::Halted { interruptible: false, .. })) {
        line.end();
    }
    let code = tell(&machine, &end);
    if hides_graphics(&machine, args) {
        line.end();
        say!("stepvisor: the screen shows graphics; --screen FILE.png writes the picture");
    }
    if args.stats {
        print_stats(&machine, elapsed);
    }
    // What can fail comes last: how the run ended has been told by then.
    printed.context("cannot print the screen")?;
    for path in &args.screen {
        ui::write_screen(path, &machine.frame())
            .map_err(|error| Failure::new(ExitCode::Host, error.to_string()))?;
    }
    if let Some(path) = &args.report {
        let (word, text) = end.described();
        let end = report::End { word: &word, text: &text, code: code.code() };
        let written = report::write(path, &machine, &heard, &end);
        written.with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    if let Some(path) = &args.trace {
        let written = machine.finish_trace();
        written.with_context(|| format!("cannot write the trace {}", path.display()))?;
    }
    Ok(code)
}

/// Whether a file could be written at `path`, which stays as it is.
fn check_writable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // Opening something else may do something, or wait for somebody.
        Ok(existing) if !existing.is_file() && !existing.is_dir() => Ok(()),
        Ok(_) => OpenOptions::new().append(true).open(path).map(drop),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        // A link to nowhere yet is there, and is followed when the time comes.
        Err(_) => match File::create_new(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            created => created.and_then(|_| fs::remove_file(path)),
        },
    }
}

fn create_trace(path: &Path) -> anyhow::Result<Trace> {
    let file = File::create(path)
        .with_context(|| format!("cannot create the trace {}", path.display()))?;
    Ok(Trace::new(Box::new(BufWriter::new(file))))
}

fn run_to_end(machine: &mut Machine, interruptions: &Interruptions) -> End {
    loop {
        match machine.run() {
            StopReason::Kicked => {
                if let Some(interruption) = interruptions.take() {
                    return End::Interruption(interruption);
                }
            }
            stop => return End::Stop(stop),
        }
    }
}

fn print_screen(machine: &Machine) -> io::Result<()> {
    let frame = machine.frame();
    let mut stdout = io::stdout().lock();
    let text = match &frame {
        _ if !stdout.is_terminal() || !wants_colours() => ui::text::plain(&frame),
        Frame::Graphics(_) => {
            let (columns, rows) = terminal_size(&stdout);
            // A line is left for the prompt.
            ui::blocks::half_blocks(&frame, columns, rows.saturating_sub(1))
        }
        _ => ui::ansi::ansi(&frame),
    };
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // A reader that has gone away (`stepvisor run … | head -1`) has seen what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Columns and rows of the terminal; what every terminal has if it does not say.
fn terminal_size(terminal: impl AsFd) -> (usize, usize) {
    match rustix::termios::tcgetwinsize(terminal) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 1 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// Whether the user has not seen what the screen shows, which text cannot.
fn hides_graphics(machine: &Machine, args: &Run) -> bool {
    let graphics = matches!(machine.frame(), Frame::Graphics(_));
    graphics && args.screen.is_empty() && !io::stdout().is_terminal()
}

fn print_stats(machine: &Machine, elapsed: Duration) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let guest = machine.guest_time();
    say!("{}", machine.stats());
    say!(
        "time: {:.3} ms, of which {:.3} ms in KVM and the guest, {:.3} ms in the VMM",
        millis(elapsed),
        millis(guest),
        millis(elapsed.saturating_sub(guest))
    );
}

/// Says how the run ended, unless it ended well.
fn tell(machine: &Machine, end: &End) -> ExitCode {
    match end {
        End::Stop(StopReason::Halted { interruptible: false, .. }) => ExitCode::Success,
        End::Stop(StopReason::Halted { location, .. }) => {
            say!(
                "stepvisor: the guest halted before {location} with interrupts enabled, \
                 but no interrupt will get it any further"
            );
            ExitCode::Success
        }
        End::Stop(stop) => {
            say!("stepvisor: {stop}");
            if let (StopReason::Shutdown { .. }, Some(crash)) = (stop, machine.crash()) {
                crash.lines().iter().for_each(|line| say!("stepvisor: {line}"));
            }
            if matches!(
                stop,
                StopReason::Shutdown { .. }
                    | StopReason::Refused(_)
                    | StopReason::Nowhere { .. }
                    | StopReason::Exception(_)
                    | StopReason::Mark(_)
                    | StopReason::Caught(_)
            ) {
                say!("{}", registers(machine));
            }
            ExitCode::of_stop(stop)
        }
        End::Left => {
            say!("stepvisor: left at {}", machine.cpu().location());
            ExitCode::Interrupted
        }
        End::Interruption(interruption) => {
            let (what, code) = match interruption {
                Interruption::Keyboard | Interruption::Signal => {
                    ("interrupted", ExitCode::Interrupted)
                }
                Interruption::Timeout => ("time limit reached", ExitCode::Timeout),
            };
            say!("stepvisor: {what} at {}", machine.cpu().location());
            say!("{}", registers(machine));
            code
        }
    }
}

/// The registers as `monitor registers` prints them.
fn registers(machine: &Machine) -> String {
    let text = machine.register_dump();
    text.map_or_else(|error| format!("no registers: {error}"), |text| text.trim_end().to_owned())
}
