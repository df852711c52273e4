//! The terminal that this process was started in, while it is ours: raw, on its alternate screen.
//!
//! It is given back on every way out, a panic included.

use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use stepvisor::ui::painter::Size;

/// To the alternate screen, and back: no colours, the cursor as it was.
const ENTER: &str = "\x1b[?1049h\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[0 q\x1b[?25h\x1b[?1049l";
/// What a terminal has that does not say.
const USUAL: Size = Size { columns: 80, rows: 24, cell: None };
/// A character in pixels, where sixels were invented (DEC VT340).
const USUAL_CELL: (usize, usize) = (10, 20);

/// Its settings, while it is ours.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal; given back when this is dropped.
#[derive(Debug)]
pub struct Terminal(());

impl Terminal {
    /// Whether there is one, at both ends, that can be written all over.
    pub fn is_there() -> bool {
        let is_able =
            std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        is_able && io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Takes it over.
    ///
    /// # Errors
    /// It is none.
    pub fn take() -> io::Result<Terminal> {
        static HOOKED: Once = Once::new();
        HOOKED.call_once(|| {
            let report = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                // What it says would be gone with the alternate screen.
                give_back();
                report(info);
            }));
        });
        let mut terminal = Terminal(());
        terminal.take_again()?;
        Ok(terminal)
    }

    /// Takes it over once more.
    ///
    /// # Errors
    /// It is none any more.
    pub fn take_again(&mut self) -> io::Result<()> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        // From here on it is given back.
        *lock() = Some(before);
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        write(ENTER);
        Ok(())
    }

    /// Gives it back.
    pub fn give_back(&mut self) {
        give_back();
    }

    /// What has been typed, or is within `wait`, if anything is; nothing in it at the end of the terminal.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&mut self, wait: Duration) -> io::Result<Option<Vec<u8>>> {
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let stdin = io::stdin();
        let mut files = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut files, Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 1024];
        // Not through the buffer of `Stdin`, of which `poll` knows nothing.
        match rustix::io::read(&stdin, &mut bytes) {
            Ok(len) => Ok(Some(bytes[..len].to_vec())),
            Err(Errno::INTR | Errno::AGAIN) => Ok(None),
            // A terminal that was closed.
            Err(Errno::IO) => Ok(Some(Vec::new())),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// How large it is at present; with `pixels` also the size of a character.
pub fn size(pixels: bool) -> Size {
    let Ok(size) = tcgetwinsize(io::stdout()) else { return USUAL };
    let [columns, rows, width, height] =
        [size.ws_col, size.ws_row, size.ws_xpixel, size.ws_ypixel].map(usize::from);
    if columns == 0 || rows == 0 {
        return USUAL;
    }
    let cell = (width / columns, height / rows);
    let cell = if cell.0 == 0 || cell.1 == 0 { USUAL_CELL } else { cell };
    Size { columns, rows, cell: pixels.then_some(cell) }
}

/// Writes to it at once. There is nobody to tell of a terminal that takes nothing.
pub fn write(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Nobody leaves it half changed.
fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn give_back() {
    let Some(before) = lock().take() else { return };
    write(LEAVE);
    // Fails only when it is gone.
    let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
}
