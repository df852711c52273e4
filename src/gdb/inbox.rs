//! The inbox: messages from other threads to the one that owns the machine.
//!
//! The owner runs the guest or sleeps until a file has something for it, so a message both kicks the machine
//! and rings a bell that can be polled.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::event::{EventfdFlags, eventfd};

/// What makes the owner look into its inbox.
type Kick = Arc<dyn Fn() + Send + Sync>;

/// The owner's end.
#[derive(Debug)]
pub struct Inbox<T> {
    receiver: Receiver<T>,
    bell: Arc<OwnedFd>,
}

/// The other threads' end.
pub struct Slot<T> {
    sender: Sender<T>,
    bell: Arc<OwnedFd>,
    kick: Kick,
}

/// An inbox and the way into it. `kick` makes the owner of the inbox look into it, whatever else it does.
///
/// # Errors
///
/// The system has no more descriptors.
pub fn inbox<T>(kick: impl Fn() + Send + Sync + 'static) -> io::Result<(Slot<T>, Inbox<T>)> {
    let (sender, receiver) = channel();
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let slot = Slot { sender, bell: Arc::clone(&bell), kick: Arc::new(kick) };
    Ok((slot, Inbox { receiver, bell }))
}

impl<T> Slot<T> {
    /// Puts `message` into the inbox; it is lost if the inbox is gone.
    pub fn put(&self, message: T) {
        if self.sender.send(message).is_ok() {
            // Fails only when it has been rung 2^64 times without being heard.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
            (self.kick)();
        }
    }
}

impl<T> Inbox<T> {
    /// The next message, if one is there.
    pub fn look(&self) -> Option<T> {
        // Silent before the look: what is put in later rings again.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        let message = self.receiver.try_recv().ok()?;
        // There may be another.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        Some(message)
    }

    /// What becomes readable when there may be a message.
    #[must_use]
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Slot<T> {
        Slot {
            sender: self.sender.clone(),
            bell: Arc::clone(&self.bell),
            kick: Arc::clone(&self.kick),
        }
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn rings(inbox: &Inbox<u32>) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut bell = [PollFd::from_borrowed_fd(inbox.bell(), PollFlags::IN)];
        poll(&mut bell, Some(&now)).unwrap() > 0
    }

    #[test]
    fn the_bell_rings_as_long_as_there_are_messages_and_each_kicks() {
        let kicks = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&kicks);
        let (slot, inbox) = inbox(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
        assert!(!rings(&inbox));
        slot.put(1);
        slot.put(2);
        assert_eq!(kicks.load(Ordering::SeqCst), 2);
        assert!(rings(&inbox));
        assert_eq!(inbox.look(), Some(1));
        assert!(rings(&inbox), "one is left");
        assert_eq!((inbox.look(), inbox.look()), (Some(2), None));
        assert!(!rings(&inbox));
    }

    #[test]
    fn a_message_for_nobody_is_dropped() {
        let (slot, inbox) = inbox(|| panic!("nobody to kick")).unwrap();
        drop(inbox);
        slot.put(1u32);
    }
}
