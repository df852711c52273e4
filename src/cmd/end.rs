//! How a run ended, and how that is called.

use stepvisor::machine::StopReason;
use stepvisor::script::ending::Ending;

use super::interruptions::Interruption;

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// By itself.
    Stop(StopReason),
    /// From outside.
    Interruption(Interruption),
    /// The user has left it, or killed it in gdb.
    Left,
}

impl End {
    /// Whether the guest has come to it, or come to none in its time, and no user.
    pub fn is_the_guests(&self) -> bool {
        matches!(self, End::Stop(_) | End::Interruption(Interruption::Timeout))
    }

    /// A word for programs and a sentence for people.
    pub fn described(&self) -> (String, String) {
        match self {
            End::Stop(stop) => {
                let word = Ending::of(stop).map_or("failed".to_owned(), |end| end.to_string());
                (word, stop.to_string())
            }
            End::Interruption(Interruption::Timeout) => {
                (Ending::Timeout.to_string(), "time limit reached".to_owned())
            }
            End::Interruption(Interruption::Keyboard | Interruption::Signal) => {
                ("interrupted".to_owned(), "interrupted".to_owned())
            }
            End::Left => ("left".to_owned(), "left by the user".to_owned()),
        }
    }
}
