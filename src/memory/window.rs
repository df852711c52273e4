//! The window in which the guest is shown memory that a device has elsewhere.

use super::{Ram, Region, Stretch};
use crate::pages::Pages;
use crate::x86::Phys;

/// A window, of whole pages, where there is neither RAM nor ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where the guest finds it.
    pub start: Phys,
    /// Its length in bytes.
    pub size: u32,
    /// What it finds there.
    pub shows: Shown,
}

/// What a window shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The beginning of pages of a device's own.
    Pages(Pages),
    /// What is at another address, as [`Ram::add_device_memory`] has put it there.
    Ram(Phys),
}

impl Ram {
    /// Shows the guest `window`, or none any longer. Only the guest finds memory there: [`Ram::read`] and
    /// [`Ram::write`] do not. The memory is kept for good.
    pub fn show(&mut self, window: Option<Window>) {
        if let Some(Window { shows: Shown::Pages(pages), .. }) = &window
            && !self.shown_pages.contains(pages)
        {
            self.shown_pages.push(pages.clone());
        }
        self.window = window;
    }

    /// What the guest finds in the window, unless there is no such memory.
    pub(super) fn shown(&self) -> Option<Stretch> {
        let Window { start, size, shows } = self.window.as_ref()?;
        let size = u64::from(*size);
        let (host, shows) = match shows {
            Shown::Pages(pages) => {
                (Some(pages.host()).filter(|_| size <= pages.size() as u64), None)
            }
            Shown::Ram(addr) => {
                let region = self
                    .region_of(*addr)
                    .filter(|region| addr.0 - region.start.0 + size <= region.size);
                (region.map(|region| region.host + (addr.0 - region.start.0)), Some(*addr))
            }
        };
        let region = Region { start: *start, size, host: host? };
        Some(Stretch { region, shows, read_only: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_alone_finds_what_a_window_shows() {
        let mut ram = Ram::new(2 << 20).unwrap();
        let pages = Pages::new(16);
        let at = Phys(0xa_0000);
        ram.show(Some(Window { start: at, size: 0x1_0000, shows: Shown::Pages(pages.clone()) }));
        let found: Vec<_> = ram.stretches().iter().map(|s| (s.region.start.0, s.shows)).collect();
        let ram_at = |addr| (addr, Some(Phys(addr)));
        assert_eq!(found, [ram_at(0), (0xa_0000, None), ram_at(0xc_0000), ram_at(0x10_0000)]);
        assert_eq!(ram.stretches()[1].region.host, pages.host());
        assert_eq!((ram.read(at, &mut [0]), ram.gap(at, 1)), (0, 1));
        assert!(ram.writable_regions().all(|region| region.start != at));
        ram.set_a20(false);
        let mirrored = ram.stretches().into_iter().find(|s| s.region.start.0 == 0x1a_0000);
        assert_eq!(mirrored.map(|stretch| stretch.region.host), Some(pages.host()));
    }

    #[test]
    fn a_window_shows_memory_that_is_elsewhere_and_nothing_where_there_is_none() {
        let mut ram = Ram::new(2 << 20).unwrap();
        let device = Phys(0xfd00_0000);
        ram.add_device_memory(device, 0x2_0000).unwrap();
        let mut shown = |shows| {
            ram.show(Some(Window { start: Phys(0xa_0000), size: 0x1_0000, shows }));
            ram.shown()
        };
        let host = shown(Shown::Ram(device)).unwrap().region.host;
        let second = shown(Shown::Ram(device.offset(0x1_0000))).unwrap();
        assert_eq!((second.region.host, second.shows), (host + 0x1_0000, Some(Phys(0xfd01_0000))));
        assert_eq!(shown(Shown::Ram(device.offset(0x1_1000))), None);
        assert_eq!(shown(Shown::Ram(Phys(0xa_0000))), None);
        assert_eq!(shown(Shown::Pages(Pages::new(15))), None);
    }
}
