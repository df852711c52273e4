//! The inbox: messages from other threads to the one that owns the machine, with a kick where it is needed.
//!
//! A kick costs, since it breaks into the very run that a message may ask for. So it is given only to a
//! server that is neither asleep on the inbox nor has the message already.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// What makes the server look into its inbox.
type Kick = Arc<dyn Fn() + Send + Sync>;

#[derive(Debug, Default)]
struct Shared {
    /// Messages that were sent and not taken yet.
    waiting: AtomicUsize,
    /// The server sleeps on the inbox.
    asleep: AtomicBool,
}

/// The server's end.
#[derive(Debug)]
pub struct Inbox<T> {
    receiver: Receiver<T>,
    shared: Arc<Shared>,
}

/// The other threads' end.
pub struct Slot<T> {
    sender: SyncSender<T>,
    shared: Arc<Shared>,
    kick: Kick,
}

/// An inbox for `size` messages, beyond which senders wait, and the way into it. `kick` makes the owner of the
/// inbox look into it, whatever else it does.
pub fn inbox<T>(size: usize, kick: impl Fn() + Send + Sync + 'static) -> (Slot<T>, Inbox<T>) {
    let (sender, receiver) = sync_channel(size);
    let shared = Arc::new(Shared::default());
    let slot = Slot { sender, shared: Arc::clone(&shared), kick: Arc::new(kick) };
    (slot, Inbox { receiver, shared })
}

impl<T> Slot<T> {
    /// Puts `message` into the inbox; it is lost if the inbox is gone.
    pub fn put(&self, message: T) {
        self.shared.waiting.fetch_add(1, Ordering::SeqCst);
        if self.sender.send(message).is_err() {
            return;
        }
        // Against the fence in `sleep`: whoever is found asleep here looks once more after waking.
        fence(Ordering::SeqCst);
        let asleep = self.shared.asleep.load(Ordering::SeqCst);
        if !asleep && self.shared.waiting.load(Ordering::SeqCst) > 0 {
            (self.kick)();
        }
    }
}

impl<T> Inbox<T> {
    /// The next message, if one is there. To be called until there is none after every [`Inbox::sleep`],
    /// before anything that only a kick ends.
    pub fn look(&self) -> Option<T> {
        self.take(self.receiver.try_recv().ok())
    }

    /// The next message, waited for. `None` if there cannot be any more.
    pub fn sleep(&self) -> Option<T> {
        self.shared.asleep.store(true, Ordering::SeqCst);
        let message = self.take(self.receiver.recv().ok());
        self.shared.asleep.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        message
    }

    /// The next message, waited for no longer than `time`.
    pub fn wait(&self, time: Duration) -> Option<T> {
        self.take(self.receiver.recv_timeout(time).ok())
    }

    fn take(&self, message: Option<T>) -> Option<T> {
        if message.is_some() {
            self.shared.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        message
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Slot<T> {
        Slot {
            sender: self.sender.clone(),
            shared: Arc::clone(&self.shared),
            kick: Arc::clone(&self.kick),
        }
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("shared", &self.shared).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// An inbox and a count of the kicks.
    fn counted() -> (Slot<u32>, Inbox<u32>, Arc<AtomicUsize>) {
        let kicks = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&kicks);
        let (slot, inbox) = inbox(4, move || drop(counter.fetch_add(1, Ordering::SeqCst)));
        (slot, inbox, kicks)
    }

    #[test]
    fn a_busy_owner_is_kicked_for_each_message() {
        let (slot, inbox, kicks) = counted();
        slot.put(1);
        slot.put(2);
        assert_eq!(kicks.load(Ordering::SeqCst), 2);
        assert_eq!([inbox.look(), inbox.look(), inbox.look()], [Some(1), Some(2), None]);
    }

    #[test]
    fn no_message_is_lost_without_a_kick() {
        // The owner sleeps, and then "runs" until a kick; a lost one would leave it there for ever.
        let (kicked, kick) = sync_channel(1 << 16);
        let (slot, inbox) = inbox(4, move || drop(kicked.send(())));
        let owner = thread::spawn(move || {
            let mut got = 0;
            while got < 20_000 {
                got += usize::from(inbox.sleep().is_some());
                while inbox.look().is_some() {
                    got += 1;
                }
                if got % 3 == 0 && got < 20_000 {
                    // Something only a kick ends; all threads send, so that one has to come.
                    drop(kick.recv_timeout(Duration::from_secs(60)).expect("a kick"));
                    while inbox.look().is_some() {
                        got += 1;
                    }
                }
            }
        });
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let slot = slot.clone();
                thread::spawn(move || (0..10_010).for_each(|n| slot.put(n)))
            })
            .collect();
        owner.join().unwrap();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    }

    #[test]
    fn a_message_for_nobody_is_dropped() {
        let (slot, inbox, kicks) = counted();
        drop(inbox);
        slot.put(1);
        assert_eq!(kicks.load(Ordering::SeqCst), 0);
    }
}
