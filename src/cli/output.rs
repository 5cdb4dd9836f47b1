//! The output of objects: standard output, or the files of a folder.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    Error,
    arguments::Format,
    folder::{Folder, is_same_object},
    layout::{Around, Kept, Layout, ValueTwice, is_ours},
};
use crate::print::{self, Ordered};

/// The size of the buffer of standard output in bytes: each write is a call of the system.
const BUFFER: usize = 64 * 1024;

/// Writes objects one by one.
pub(super) enum Output {
    /// Standard output.
    Stream(Stream),
    /// A folder.
    Tree(Tree),
}

/// What a finished output says about its folder.
#[derive(Default)]
pub(super) struct Finished {
    /// Other objects in the folder, which would be applied together with the written ones.
    pub(super) left: Vec<String>,
    /// Files of the user that were kept.
    pub(super) kept: Vec<String>,
    /// Whether nothing was written, because a document was rejected.
    pub(super) is_withheld: bool,
}

impl Output {
    /// Returns the requested output.
    pub(super) fn new(folder: Option<&Path>, form: &Form, overlays: &[String]) -> Self {
        match folder {
            None => Self::Stream(Stream {
                writer: io::BufWriter::with_capacity(BUFFER, io::stdout()),
                format: form.format,
                count: 0,
            }),
            Some(path) => Self::Tree(Tree {
                folder: Folder::new(path.to_owned()),
                layout: form.layout,
                around: Around::nothing(form.layout),
                overlays: overlays.to_vec(),
                is_empty: true,
            }),
        }
    }

    /// Writes one object.
    pub(super) fn write(&mut self, object: &Printed) -> Result<(), Error> {
        match self {
            Self::Stream(stream) => stream.write(&object.text),
            Self::Tree(tree) => tree.write(object),
        }
    }

    /// Ends the output. `is_complete` says that no document was rejected.
    pub(super) fn finish(&mut self, is_complete: bool) -> Result<Finished, Error> {
        match self {
            Self::Stream(stream) => stream.finish().map(|()| Finished::default()),
            Self::Tree(tree) => tree.finish(is_complete),
        }
    }
}

/// How objects are printed.
pub(super) struct Form {
    pub(super) format: Format,
    pub(super) layout: Layout,
    /// The namespace of the objects, if a release of the chart decides it.
    pub(super) open_namespace: Option<String>,
}

/// An object as text.
pub(super) struct Printed {
    /// The name of its file.
    file: String,
    text: String,
    around: Around,
}

impl Printed {
    /// Prints an object of a unit that keeps some placeholders.
    pub(super) fn new(object: &Ordered, kept: &Kept, form: &Form) -> Result<Self, print::Error> {
        let (kind, name) = object.identity();
        let name = format!("{name}-{}", kind.to_ascii_lowercase());
        let (file, text, around) = match form.format {
            Format::Yaml => {
                let file = format!("{name}.yaml");
                let namespace = form.open_namespace.as_deref();
                let (text, around) = Around::of(form.layout, &file, object, kept, namespace)?;
                (file, text, around)
            }
            Format::Json => {
                let file = format!("{name}.json");
                (file, print::json(object)?, Around::Plain)
            }
        };
        Ok(Self { file, text, around })
    }
}

/// The files of a folder.
pub(super) struct Tree {
    folder: Folder,
    layout: Layout,
    around: Around,
    /// The names of overlays.
    overlays: Vec<String>,
    is_empty: bool,
}

impl Tree {
    fn write(&mut self, object: &Printed) -> Result<(), Error> {
        let Printed { file, text, around } = object;
        self.is_empty = false;
        let merged = self.around.merge(around);
        merged.map_err(|ValueTwice(name)| Error::ValueTwice { name })?;
        let text = if text.ends_with('\n') {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(format!("{text}\n"))
        };
        let path = Path::new(self.layout.folder()).join(file);
        let layout = self.layout;
        self.folder.write(&path, &text, |old| match layout {
            Layout::Helm => is_ours(old),
            Layout::Plain | Layout::Kustomize => is_same_object(&text, old),
        })
    }

    /// Writes the files around the objects, and gives all files their names.
    ///
    /// A tool that prunes would delete what is missing in a base or in a chart, so an incomplete one is not written.
    fn finish(&mut self, is_complete: bool) -> Result<Finished, Error> {
        let is_withheld = self.layout != Layout::Plain && !is_complete;
        let mut kept = Vec::new();
        for file in self.around.files(self.folder.path(), &self.overlays)? {
            let path = PathBuf::from(&file.path);
            if file.is_of_user && self.folder.has(&path) {
                kept.push(file.path);
            } else if !self.is_empty && !is_withheld {
                self.folder.write(&path, &file.text, is_ours)?;
            }
        }
        if is_withheld {
            return Ok(Finished {
                left: Vec::new(),
                kept,
                is_withheld,
            });
        }
        self.folder.commit()?;
        let (inner, layout) = (self.layout.folder(), self.layout);
        Ok(Finished {
            left: self.folder.others(inner, |path| layout.is_left(path))?,
            kept,
            is_withheld: false,
        })
    }
}

/// Objects one after another: YAML documents, or the items of one JSON List.
pub(super) struct Stream {
    writer: io::BufWriter<io::Stdout>,
    format: Format,
    count: usize,
}

impl Stream {
    fn write(&mut self, text: &str) -> Result<(), Error> {
        let text = match self.format {
            Format::Yaml if self.count == 0 => Cow::Borrowed(text),
            Format::Yaml => Cow::Owned(format!("---\n{text}")),
            Format::Json => {
                let start = if self.count == 0 { LIST_START } else { ",\n" };
                Cow::Owned(format!("{start}    {}", text.replace('\n', "\n    ")))
            }
        };
        self.count += 1;
        self.writer
            .write_all(text.as_bytes())
            .map_err(Error::writing("standard output"))
    }

    fn finish(&mut self) -> Result<(), Error> {
        let end = match self.format {
            Format::Yaml => "",
            Format::Json if self.count == 0 => {
                "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": []\n}\n"
            }
            Format::Json => "\n  ]\n}\n",
        };
        self.writer
            .write_all(end.as_bytes())
            .and_then(|()| self.writer.flush())
            .map_err(Error::writing("standard output"))
    }
}

const LIST_START: &str = "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": [\n";
