//! Memory in whole pages of the host's, which a device keeps and the guest may be shown.
//!
//! The guest changes it behind the compiler's back while it runs, so it consists of atomics. Nobody else uses it at
//! that time: the order in which changes are seen does not matter.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of a page.
pub const PAGE_SIZE: usize = 0x1000;
/// Bytes of a word.
const WORD: usize = 4;

#[repr(C, align(4096))]
struct Page([AtomicU32; PAGE_SIZE / WORD]);

/// Memory in whole pages. A clone is the same memory.
#[derive(Clone)]
pub struct Pages(Arc<[Page]>);

impl Pages {
    /// `count` pages of zeros.
    #[must_use]
    pub fn new(count: usize) -> Pages {
        let page = || Page(std::array::from_fn(|_| AtomicU32::new(0)));
        Pages((0..count).map(|_| page()).collect())
    }

    /// The word `index`, its bytes in the order of their addresses; zeros behind the end.
    #[must_use]
    pub fn get(&self, index: usize) -> [u8; WORD] {
        self.word(index).map_or([0; WORD], |word| word.load(Ordering::Relaxed).to_ne_bytes())
    }

    /// Writes the word `index`; nothing behind the end.
    pub fn set(&self, index: usize, bytes: [u8; WORD]) {
        if let Some(word) = self.word(index) {
            word.store(u32::from_ne_bytes(bytes), Ordering::Relaxed);
        }
    }

    fn word(&self, index: usize) -> Option<&AtomicU32> {
        let words = PAGE_SIZE / WORD;
        self.0.get(index / words).map(|page| &page.0[index % words])
    }

    /// All bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        (0..self.size() / WORD).flat_map(|index| self.get(index)).collect()
    }

    /// Bytes in all.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len() * PAGE_SIZE
    }

    /// Where the host has the first byte. The memory stays there as long as there is a clone.
    #[must_use]
    pub fn host(&self) -> u64 {
        self.0.as_ptr() as u64
    }
}

impl PartialEq for Pages {
    /// Whether they are the same memory.
    fn eq(&self, other: &Pages) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Pages {}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("size", &self.size()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_bytes_in_order_and_end() {
        let pages = Pages::new(2);
        assert!(pages.host().is_multiple_of(PAGE_SIZE as u64));
        let shared = pages.clone();
        shared.set(0x401, [1, 2, 3, 4]);
        shared.set(0x800, [5; 4]);
        assert_eq!((pages.get(0x401), pages.get(0x800)), ([1, 2, 3, 4], [0; 4]));
        let bytes = pages.to_vec();
        assert_eq!((bytes.len(), &bytes[0x1003..0x1009]), (0x2000, &[0, 1, 2, 3, 4, 0][..]));
    }
}
