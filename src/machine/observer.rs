//! What a machine has to tell while it runs, and to whom.

use crate::devices::frame::Frame;

/// Somebody who is told things the moment they happen, while the guest runs.
pub trait Observer {
    /// A line for the user, without a newline: something the guest did that its author will want to know.
    fn notice(&mut self, text: &str);

    /// Bytes the guest wrote to its debug console.
    fn console(&mut self, bytes: &[u8]);

    /// Bytes the guest sent on its serial port `port`, 1 for COM1. Nobody listens unless this is implemented.
    fn serial(&mut self, port: usize, bytes: &[u8]) {
        let _ = (port, bytes);
    }

    /// The guest sleeps from now on, until something happens; `screen` gives what it shows.
    fn sleeps(&mut self, screen: &dyn Fn() -> Frame) {
        let _ = screen;
    }

    /// The guest sleeps no more.
    fn wakes(&mut self) {}
}

/// Hears nothing.
#[derive(Clone, Copy, Debug)]
pub struct Deaf;

impl Observer for Deaf {
    fn notice(&mut self, _: &str) {}

    fn console(&mut self, _: &[u8]) {}
}
