//! Watchpoints that one instruction hits together.
//!
//! A stop reply has room for one data address (gdb manual, E.3 "Stop Reply Packets"). gdb tells its user of
//! every watchpoint in whose range that address lies, and of no other. So the address is one that lies in as
//! many of the hit ranges as possible, and of those that are left the client is told when it resumes, each time
//! before anything is executed. gdb keeps the old value of a watchpoint until it is told that it was hit.

use super::Guest;
use crate::machine::stop::WatchHit;
use crate::machine::{StopReason, Watch};
use crate::x86::Linear;

/// Of which watchpoints the client is still to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Due {
    hits: Vec<Watch>,
    /// The next instruction when they were hit: a client that has gone elsewhere asks for something else.
    pc: Linear,
}

impl Due {
    /// Takes out the first hit and all that a report of it covers.
    fn take(&mut self) -> Option<StopReason> {
        let first = *self.hits.first()?;
        // What has all of a group in common reaches from the last start to the first end.
        let (mut start, mut end) = (first.addr.0, last(&first));
        for hit in &self.hits {
            let (later, sooner) = (start.max(hit.addr.0), end.min(last(hit)));
            if later <= sooner {
                (start, end) = (later, sooner);
            }
        }
        let covers = |hit: &Watch| (hit.addr.0..=last(hit)).contains(&start);
        self.hits.retain(|hit| !covers(hit));
        Some(StopReason::Watchpoint(WatchHit { addr: Linear(start), kind: first.kind }))
    }
}

/// The last byte of a watched range.
fn last(watch: &Watch) -> u64 {
    watch.addr.0.saturating_add(watch.len.saturating_sub(1))
}

impl Guest<'_> {
    /// The report of `stop`; what it does not cover is due.
    pub(super) fn first_hit(&mut self, stop: StopReason) -> StopReason {
        if !matches!(stop, StopReason::Watchpoint(_)) {
            return stop;
        }
        let pc = self.machine.cpu().pc();
        self.due = Due { hits: self.machine.watch_hits().to_vec(), pc };
        self.due.take().unwrap_or(stop)
    }

    /// What the client has to be told before the guest goes on.
    pub(super) fn next_hit(&mut self) -> Option<StopReason> {
        let watches = self.machine.breakpoints().watches();
        let mut due = std::mem::take(&mut self.due);
        // A guest that was reset has hit nothing.
        let is_past = self.machine.watch_hits().is_empty() || due.pc != self.machine.cpu().pc();
        due.hits.retain(|hit| !is_past && watches.contains(hit));
        let stop = due.take();
        self.due = due;
        stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::WatchKind;

    /// The addresses of the reports of hits in the ranges `ranges`.
    fn reports(ranges: &[(u64, u64)]) -> Vec<u64> {
        let watch = |(addr, len): &(u64, u64)| Watch {
            addr: Linear(*addr),
            len: *len,
            kind: WatchKind::Write,
        };
        let mut due = Due { hits: ranges.iter().map(watch).collect(), pc: Linear(0) };
        let reported = std::iter::from_fn(|| due.take());
        reported
            .map(|stop| match stop {
                StopReason::Watchpoint(hit) => hit.addr.0,
                other => panic!("{other}"),
            })
            .collect()
    }

    #[test]
    fn each_range_is_covered_by_one_report() {
        assert_eq!(reports(&[]), [0; 0]);
        assert_eq!(reports(&[(0x600, 4)]), [0x600]);
        // Beside each other; one within the other, both ways; a chain, of which no byte is in all.
        assert_eq!(reports(&[(0x600, 2), (0x602, 2)]), [0x600, 0x602]);
        assert_eq!(reports(&[(0x600, 4), (0x602, 2)]), [0x602]);
        assert_eq!(reports(&[(0x602, 2), (0x600, 4)]), [0x602]);
        assert_eq!(reports(&[(0x600, 4), (0x602, 4), (0x605, 1)]), [0x602, 0x605]);
        assert_eq!(reports(&[(u64::MAX, 9), (u64::MAX - 1, 1)]), [u64::MAX, u64::MAX - 1]);
    }
}
