//! Watchpoints that one instruction hits together.
//!
//! A stop reply has room for one data address (gdb manual, E.3 "Stop Reply Packets"). gdb tells its user of
//! every watchpoint in whose range that address lies, and of no other. So the address is one that lies in as
//! many of the hit ranges as possible, but in none that was not hit if the range has such a byte, be it accessed or
//! not. Of those that are left the client is told when it resumes, each time before anything is executed. gdb keeps
//! the old value of a watchpoint until it is told that it was hit.

use super::Guest;
use crate::machine::stop::WatchHit;
use crate::machine::{StopReason, Watch};
use crate::x86::Linear;

/// Of which watchpoints the client is still to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Due {
    hits: Vec<Watch>,
    /// Those that it has been told of as well.
    all: Vec<Watch>,
    /// The next instruction when they were hit: a client that has gone elsewhere asks for something else.
    pc: Linear,
}

impl Due {
    /// Takes out the first hit and all that a report of it covers, of which `watches` are what is watched at all.
    fn take(&mut self, watches: &[Watch]) -> Option<StopReason> {
        let first = *self.hits.first()?;
        let others: Vec<Watch> =
            watches.iter().filter(|watch| !self.all.contains(watch)).copied().collect();
        // What has all of a group in common reaches from the last start to the first end.
        let (mut start, mut end) = (first.addr.0, last(&first));
        let mut place = place_beside(start, end, &others);
        for hit in &self.hits {
            let (later, sooner) = (start.max(hit.addr.0), end.min(last(hit)));
            if later > sooner {
                continue;
            }
            let common = place_beside(later, sooner, &others);
            if common.is_some() || place.is_none() {
                (start, end, place) = (later, sooner, common);
            }
        }
        let place = place.unwrap_or(start);
        let covers = |hit: &Watch| (hit.addr.0..=last(hit)).contains(&place);
        self.hits.retain(|hit| !covers(hit));
        Some(StopReason::Watchpoint(WatchHit { addr: Linear(place), kind: first.kind }))
    }
}

/// The first byte from `start` to `end` that is in none of `ranges`.
fn place_beside(start: u64, end: u64, ranges: &[Watch]) -> Option<u64> {
    let mut place = start;
    while let Some(range) =
        ranges.iter().find(|range| (range.addr.0..=last(range)).contains(&place))
    {
        place = last(range).checked_add(1)?;
    }
    (place <= end).then_some(place)
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
        let hits = self.machine.watch_hits().to_vec();
        self.due = Due { all: hits.clone(), hits, pc };
        self.due.take(self.machine.breakpoints().watches()).unwrap_or(stop)
    }

    /// What the client has to be told before the guest goes on.
    pub(super) fn next_hit(&mut self) -> Option<StopReason> {
        let watches = self.machine.breakpoints().watches();
        let mut due = std::mem::take(&mut self.due);
        // A guest that was reset has hit nothing.
        let is_past = self.machine.watch_hits().is_empty() || due.pc != self.machine.cpu().pc();
        due.hits.retain(|hit| !is_past && watches.contains(hit));
        let stop = due.take(watches);
        self.due = due;
        stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::WatchKind;

    fn watches(ranges: &[(u64, u64)]) -> Vec<Watch> {
        let watch = |(addr, len): &(u64, u64)| Watch {
            addr: Linear(*addr),
            len: *len,
            kind: WatchKind::Write,
        };
        ranges.iter().map(watch).collect()
    }

    /// The addresses of the reports of hits in the ranges `ranges`, while `others` are watched and were not hit.
    fn reports_beside(ranges: &[(u64, u64)], others: &[(u64, u64)]) -> Vec<u64> {
        let hits = watches(ranges);
        let watched = [hits.clone(), watches(others)].concat();
        let mut due = Due { all: hits.clone(), hits, pc: Linear(0) };
        let reported = std::iter::from_fn(|| due.take(&watched));
        reported
            .map(|stop| match stop {
                StopReason::Watchpoint(hit) => hit.addr.0,
                other => panic!("{other}"),
            })
            .collect()
    }

    fn reports(ranges: &[(u64, u64)]) -> Vec<u64> {
        reports_beside(ranges, &[])
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

    #[test]
    fn a_range_that_was_not_hit_is_not_reported_if_that_can_be() {
        assert_eq!(reports_beside(&[(0x600, 4)], &[(0x600, 2)]), [0x602]);
        assert_eq!(reports_beside(&[(0x600, 4)], &[(0x602, 2)]), [0x600]);
        assert_eq!(reports_beside(&[(0x600, 4)], &[(0x5fe, 4), (0x602, 1)]), [0x603]);
        assert_eq!(reports_beside(&[(0x600, 4)], &[(0x600, 4)]), [0x600], "there is no other byte");
        // What two have in common is watched by a third, which was not hit.
        assert_eq!(reports_beside(&[(0x600, 4), (0x602, 4)], &[(0x602, 2)]), [0x600, 0x604]);
        assert_eq!(reports_beside(&[(0x600, 2), (0x600, 4)], &[(0x600, 2)]), [0x600]);
        assert_eq!(reports_beside(&[(u64::MAX, 1)], &[(u64::MAX, 1)]), [u64::MAX]);
    }
}
