//! The guest of a test: an image as it is, or NASM source that is assembled for it.
//!
//! A source is built twice. The image is what the author would boot: flat, as `nasm -f bin` makes it, or linked
//! if the source has names for a linker (`global`, `extern`). The other build has DWARF, for labels and lines;
//! it counts only if its bytes are those of the image. Results are kept by content, so that nothing is built twice.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::header::Header;
use super::{dependencies, value};

/// A guest that can be booted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guest {
    /// The image's bytes.
    pub image: Vec<u8>,
    /// The ELF with its symbols.
    pub symbols: Option<PathBuf>,
    /// Where a flat image has to be loaded, if its source says so.
    pub load: Option<u64>,
}

/// Why there is no guest.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A tool is missing.
    #[error("{tool} is not installed, which {} needs: apt-get install {package}", path.display())]
    NoTool {
        /// The program.
        tool: &'static str,
        /// Where it comes from.
        package: &'static str,
        /// What it was to build.
        path: PathBuf,
    },
    /// The tool did not like the source.
    #[error("{text}")]
    Refused {
        /// The tool's own lines, with file and line.
        text: String,
    },
    /// The results cannot be kept.
    #[error("cannot build in {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Guest {
    /// The guest that `header` names; `work` is a directory for what is built.
    ///
    /// # Errors
    /// It cannot be read or built.
    pub fn of(header: &Header, work: &Path) -> Result<Guest, GuestError> {
        let path = &header.guest;
        if path.as_os_str().is_empty() {
            // It is on a disk.
            return Ok(Guest { symbols: header.symbols.clone(), ..Guest::default() });
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let mut guest = if matches!(extension.as_str(), "asm" | "nasm" | "s") {
            assemble(path, &header.nasm, header.load.map(|load| load.0), work)?
        } else {
            let image = read(path)?;
            let is_elf = image.starts_with(b"\x7fELF");
            Guest { symbols: is_elf.then(|| path.clone()), image, load: None }
        };
        if let Some(symbols) = &header.symbols {
            if !read(symbols)?.starts_with(b"\x7fELF") {
                let text = format!("{} is not an ELF file", symbols.display());
                return Err(GuestError::Refused { text });
            }
            guest.symbols = Some(symbols.clone());
        }
        Ok(guest)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, GuestError> {
    fs::read(path).map_err(|source| GuestError::Read { path: path.to_owned(), source })
}

/// Where firmware loads a boot sector.
const BOOT_SECTOR: u64 = 0x7c00;

/// What a source says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Source {
    /// `org`.
    origin: Option<u64>,
    /// `; load:` in its head.
    load: Option<u64>,
    /// It has names for a linker.
    is_linked: bool,
    /// It has code that only ELF64 can hold.
    is_long: bool,
    /// One of its names is the entry point's.
    entry: Option<&'static str>,
}

impl Source {
    fn of(text: &str) -> Source {
        let mut source = Source::default();
        for line in text.lines() {
            let remark = line.trim_start().strip_prefix(';').unwrap_or_default();
            match remark.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("load", place)) => source.load = source.load.or(value::number(place).ok()),
                Some(("format", "elf64")) => source.is_long = true,
                _ => {}
            }
            let code = line.split(';').next().unwrap_or_default().trim();
            let code = code.trim_start_matches('[').trim_end_matches(']');
            let mut words = code.split([' ', '\t', ',']).filter(|word| !word.is_empty());
            let first = words.next().unwrap_or_default().to_ascii_lowercase();
            match first.as_str() {
                "org" => {
                    source.origin = words.next().and_then(nasm_number);
                }
                "bits" => source.is_long |= words.next() == Some("64"),
                "global" | "extern" => {
                    source.is_linked = true;
                    let names = ["start", "_start"];
                    let entry = words.find_map(|word| names.iter().find(|name| **name == word));
                    source.entry = source.entry.or(entry.copied());
                }
                _ => {}
            }
        }
        source
    }
}

/// A number as NASM writes it.
fn nasm_number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let hexadecimal = lower.strip_suffix('h').or_else(|| lower.strip_prefix('$'));
    match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => value::number(&lower).ok(),
    }
}

/// Links all sections in the order in which NASM's flat format has them.
const LINK_SCRIPT: &str = "\
PHDRS { image PT_LOAD FLAGS(7); }
SECTIONS {
    .text : { *(.text) *(.text.*) } :image
    .data : { *(.data) *(.rodata) } :image
    .bss : { *(.bss) } :image
}
";

/// Makes of a flat source one that can be linked: 16 bits to begin with, and no `org`.
const NO_ORIGIN: &str = "bits 16\n%imacro org 1+.nolist\n%endmacro\n";

/// One build at a time in a process: two tests may have the same source.
static BUILDING: Mutex<()> = Mutex::new(());

fn assemble(
    path: &Path,
    arguments: &[String],
    load: Option<u64>,
    work: &Path,
) -> Result<Guest, GuestError> {
    let _alone = BUILDING.lock();
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    let source = Source::of(&text);
    let place = load.or(source.origin).or(source.load).unwrap_or(BOOT_SECTOR);
    // In full, since it becomes part of what is kept.
    let full =
        path.canonicalize().map_err(|source| GuestError::Read { path: path.to_owned(), source })?;
    let build = Build { path: &full, arguments, work, name: String::new() };
    // With all that it includes, and all that it takes in as it is.
    let whole = (build.nasm(&["-E"], None)?, build.files()?);
    let build = Build {
        name: format!(
            "{:016x}",
            digest(&(&whole, arguments, place, &full, LINK_SCRIPT, NO_ORIGIN))
        ),
        ..build
    };
    let (image, symbols) = (build.file("bin"), build.file("elf"));
    if !image.exists() {
        build.make(source, place)?;
    }
    let load = source.origin.or(source.load).filter(|_| !source.is_linked);
    let elf = symbols.exists().then_some(symbols);
    Ok(Guest { image: read(&image)?, symbols: elf, load })
}

fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// A file's name and its bytes, if it is there.
type SourceFile = (PathBuf, Option<Vec<u8>>);

/// The building of one source.
struct Build<'a> {
    path: &'a Path,
    arguments: &'a [String],
    work: &'a Path,
    name: String,
}

impl Build<'_> {
    fn file(&self, extension: &str) -> PathBuf {
        self.work.join(format!("{}.{extension}", self.name))
    }

    /// Makes the image, and if it can the ELF with symbols.
    fn make(&self, source: Source, place: u64) -> Result<(), GuestError> {
        let directory = |source| GuestError::Directory { path: self.work.to_owned(), source };
        fs::create_dir_all(self.work).map_err(directory)?;
        // Under another name until they are complete: other processes look for them.
        let half = format!("{}-{}", self.name, std::process::id());
        let half = Build { name: half, ..*self };
        let (image, elf) = (half.file("bin"), half.file("elf"));
        let linked = half.link(source, place, &elf);
        if source.is_linked {
            linked?;
            fs::copy(&elf, &image).map_err(directory)?;
            fs::rename(&elf, self.file("elf")).map_err(directory)?;
        } else {
            let output = image.to_string_lossy().into_owned();
            self.nasm(&["-f", "bin", "-o", &output], None)?;
            let same = linked.is_ok()
                && half
                    .flat(&elf)
                    .is_some_and(|flat| fs::read(&image).is_ok_and(|bytes| bytes == flat));
            if same {
                fs::rename(&elf, self.file("elf")).map_err(directory)?;
            } else {
                let _ = fs::remove_file(&elf);
            }
        }
        fs::rename(&image, self.file("bin")).map_err(directory)
    }

    fn link(&self, source: Source, place: u64, elf: &Path) -> Result<(), GuestError> {
        let directory = |source| GuestError::Directory { path: self.work.to_owned(), source };
        let (script, before) = (self.file("ld"), self.file("inc"));
        fs::write(&script, LINK_SCRIPT).map_err(directory)?;
        fs::write(&before, NO_ORIGIN).map_err(directory)?;
        let object = self.file("o").to_string_lossy().into_owned();
        let (format, emulation) =
            if source.is_long { ("elf64", "elf_x86_64") } else { ("elf32", "elf_i386") };
        let before_path = before.to_string_lossy().into_owned();
        let assembled =
            self.nasm(&["-f", format, "-g", "-F", "dwarf", "-o", &object], Some(&before_path));
        let linked = assembled.and_then(|_| {
            let mut command = Command::new("ld");
            command.args(["-m", emulation, "--build-id=none", "-z", "max-page-size=16"]);
            command.args(["-z", "noexecstack", "-T"]).arg(&script);
            command.arg(format!("-Ttext={place:#x}"));
            if let Some(entry) = source.entry {
                command.args(["-e", entry]);
            }
            command.arg("-o").arg(elf).arg(&object);
            self.run(command, "ld", "binutils")
        });
        for path in [PathBuf::from(object), script, before] {
            let _ = fs::remove_file(path);
        }
        linked.map(drop)
    }

    /// The bytes that an ELF loads, as one image.
    fn flat(&self, elf: &Path) -> Option<Vec<u8>> {
        let output = self.file("flat");
        let mut command = Command::new("objcopy");
        command.args(["-O", "binary"]).arg(elf).arg(&output);
        let bytes =
            self.run(command, "objcopy", "binutils").ok().and_then(|_| fs::read(&output).ok());
        let _ = fs::remove_file(output);
        bytes
    }

    /// The names and contents of all files that the source consists of. Of one that is missing NASM will tell.
    fn files(&self) -> Result<Vec<SourceFile>, GuestError> {
        let files = dependencies::of_rule(&self.nasm(&["-M"], None)?).into_iter();
        let with_content = |file: PathBuf| {
            let bytes = fs::read(&file).ok();
            (file, bytes)
        };
        Ok(files.map(with_content).collect())
    }

    fn nasm(&self, arguments: &[&str], before: Option<&str>) -> Result<Vec<u8>, GuestError> {
        let mut command = Command::new("nasm");
        command.args(arguments).args(self.arguments);
        // What a source includes or takes in whole lies next to it.
        if let Some(parent) = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            command.arg("-I").arg(format!("{}/", parent.display()));
        }
        if let Some(before) = before {
            command.arg("-P").arg(before);
        }
        command.arg(self.path);
        self.run(command, "nasm", "nasm")
    }

    fn run(
        &self,
        mut command: Command,
        tool: &'static str,
        package: &'static str,
    ) -> Result<Vec<u8>, GuestError> {
        let path = self.path.to_owned();
        let output = command.stdin(Stdio::null()).env("LC_ALL", "C").output();
        let output = output.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => GuestError::NoTool { tool, package, path },
            _ => GuestError::Read { path: tool.into(), source },
        })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let text = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        let text = if text.is_empty() { format!("{tool}: {}", output.status) } else { text };
        let here = std::env::current_dir().unwrap_or_default();
        let text = text.replace(&format!("{}/", here.display()), "");
        Err(GuestError::Refused { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_says_how_it_is_to_be_built() {
        let flat = Source::of("[org 0x7c00]\nstart: jmp start ; global x\n");
        assert_eq!((flat.origin, flat.is_linked), (Some(0x7c00), false));
        assert_eq!(Source::of("  ORG 7C00h\n").origin, Some(0x7c00));
        let linked = Source::of("; load: 0x600\nbits 16\nglobal _start\n");
        assert_eq!(
            (linked.load, linked.is_linked, linked.entry),
            (Some(0x600), true, Some("_start"))
        );
        assert!(Source::of("bits 64").is_long);
    }
}
