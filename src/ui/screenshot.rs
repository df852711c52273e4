//! Screens written to files, in the format that the file's name asks for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::devices::frame::Frame;

use super::{png, text};

/// A file format for screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenFormat {
    /// `.txt`: the text without colours, UTF-8; see [`text::plain`].
    Text,
    /// `.png`: a picture; see [`png`].
    Png,
}

/// Why a screen cannot be written to a file.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// The file's name says no format.
    #[error("cannot write the screen to `{}`: the name must end in .txt or .png", .0.display())]
    UnknownFormat(PathBuf),
    /// The file cannot be written.
    #[error("cannot write the screen to `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The frame cannot be made a picture.
    #[error("cannot write the screen to `{}`: {source}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder says.
        source: ::png::EncodingError,
    },
}

impl ScreenFormat {
    /// The format that the extension of `path` asks for, in upper or lower case.
    ///
    /// Lets a command refuse a bad name before it runs a guest.
    pub fn of(path: &Path) -> Result<ScreenFormat, ScreenError> {
        let is = |wanted: &str| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(wanted));
        match () {
            () if is("txt") => Ok(ScreenFormat::Text),
            () if is("png") => Ok(ScreenFormat::Png),
            () => Err(ScreenError::UnknownFormat(path.to_owned())),
        }
    }
}

/// Writes `frame` to the file `path`, replacing it, in the format of its extension.
pub fn write_screen(path: &Path, frame: &Frame) -> Result<(), ScreenError> {
    let bytes = match ScreenFormat::of(path)? {
        ScreenFormat::Text => text::plain(frame).into_bytes(),
        ScreenFormat::Png => png::encode(frame)
            .map_err(|source| ScreenError::Encode { path: path.to_owned(), source })?,
    };
    fs::write(path, bytes).map_err(|source| ScreenError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::frame::{Cell, TextFrame};

    fn frame() -> Frame {
        let cells = vec![Cell { character: 3, attribute: 4 }];
        Frame::Text(TextFrame::new(2, 2, cells))
    }

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("stepvisor-{}-{name}", std::process::id()))
    }

    #[test]
    fn the_extension_chooses_the_format() {
        let format = |name: &str| ScreenFormat::of(Path::new(name)).ok();
        assert_eq!(format("a.txt"), Some(ScreenFormat::Text));
        assert_eq!(format("dir.txt/b.PNG"), Some(ScreenFormat::Png));
        for bad in ["", "png", ".png", "a.jpg", "a.txt.gz", "a.", "a.txt/.."] {
            let error = ScreenFormat::of(Path::new(bad)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")) && error.contains(".txt"), "{error}");
        }
    }

    #[test]
    fn each_format_is_written() {
        let text = scratch("screen.txt");
        write_screen(&text, &frame()).unwrap();
        assert_eq!(fs::read_to_string(&text).unwrap(), "♥\n");
        fs::remove_file(text).unwrap();
        let picture = scratch("screen.png");
        write_screen(&picture, &frame()).unwrap();
        assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
        fs::remove_file(picture).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let path = scratch("missing-folder").join("screen.txt");
        let error = write_screen(&path, &frame()).unwrap_err().to_string();
        assert!(error.contains("missing-folder"), "{error}");
        let empty = Frame::Text(TextFrame::new(0, 0, vec![]));
        let error = write_screen(Path::new("empty.png"), &empty).unwrap_err().to_string();
        assert!(error.contains("empty.png"), "{error}");
    }
}
