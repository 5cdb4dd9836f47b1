//! The files of an output folder: all of them are written, or none, and none over a file of somebody else.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::Error;

/// The label of each object that we write, and its value.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "ecs-operator");

/// Files that are written under temporary names, until [`Self::commit`] gives them their own.
pub(super) struct Folder {
    path: PathBuf,
    /// The paths of the written files in the folder.
    written: BTreeSet<PathBuf>,
    /// The files that are in the way.
    foreign: BTreeSet<PathBuf>,
    /// The folders that were made.
    made: BTreeSet<PathBuf>,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: BTreeSet::new(),
            foreign: BTreeSet::new(),
            made: BTreeSet::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is something with this name, be it a link that leads nowhere.
    pub(super) fn has(&self, file: &Path) -> bool {
        self.path.join(file).symlink_metadata().is_ok()
    }

    /// Writes a file under its temporary name. `is_ours` says of another text of it whether we wrote that too.
    pub(super) fn write(
        &mut self,
        file: &Path,
        text: &str,
        is_ours: impl FnOnce(&str) -> bool,
    ) -> Result<(), Error> {
        let path = self.path.join(file);
        if let Ok(metadata) = path.symlink_metadata() {
            // A link in the place of a file could lead anywhere.
            let is_ours = metadata.is_file()
                && fs::read_to_string(&path).is_ok_and(|old| old == text || is_ours(&old));
            if !is_ours {
                self.foreign.insert(file.to_owned());
                return Ok(());
            }
        }
        if let Some(folder) = path.parent() {
            self.make(folder)?;
        }
        let unfinished = unfinished(&path);
        self.written.insert(file.to_owned());
        write_new(&unfinished, text).map_err(Error::writing(path))
    }

    fn make(&mut self, folder: &Path) -> Result<(), Error> {
        if folder.is_dir() {
            return Ok(());
        }
        let missing = folder
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        self.made.extend(missing.map(Path::to_owned));
        fs::create_dir_all(folder).map_err(Error::writing(folder))
    }

    /// Gives all files their names, unless one of them is that of a file of somebody else.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        if !self.foreign.is_empty() {
            return Err(Error::NotOurs {
                files: self.shown(&self.foreign),
            });
        }
        for file in &self.written {
            let path = self.path.join(file);
            fs::rename(unfinished(&path), &path).map_err(Error::writing(path))?;
        }
        Ok(())
    }

    fn shown(&self, files: &BTreeSet<PathBuf>) -> String {
        let paths = files.iter().map(|file| self.path.join(file));
        let shown: Vec<String> = paths.map(|path| path.display().to_string()).collect();
        shown.join(", ")
    }

    /// Returns the other files with objects below `inner` of the folder, sorted, as far as `counts` says.
    pub(super) fn others(
        &self,
        inner: &str,
        counts: impl Fn(&Path) -> bool,
    ) -> Result<Vec<String>, Error> {
        let folder = self.path.join(inner);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let mut others = Vec::new();
        for entry in fs::read_dir(&folder).map_err(Error::writing(&folder))? {
            let name = entry.map_err(Error::writing(&folder))?.file_name();
            let file = Path::new(inner).join(&name);
            let extension = file.extension().and_then(OsStr::to_str);
            if matches!(extension, Some("json" | "yaml" | "yml"))
                && !self.written.contains(&file)
                && counts(&folder.join(&name))
            {
                others.push(file.to_string_lossy().into_owned());
            }
        }
        others.sort();
        Ok(others)
    }
}

impl Drop for Folder {
    /// Removes what got no name, and folders for it: half a tree is useless.
    fn drop(&mut self) {
        for file in &self.written {
            let _gone = fs::remove_file(unfinished(&self.path.join(file)));
        }
        // The inner ones come last. A folder with files is not removed.
        for folder in self.made.iter().rev() {
            let _filled = fs::remove_dir(folder);
        }
    }
}

/// Returns the temporary name of a file, which is hidden, so that nothing reads it.
fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.unfinished"))
}

/// Writes a new file. A file that an earlier run left is removed; a link in its place would lead outside the folder.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// What identifies an object, and who wrote it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Identity {
    api_version: String,
    kind: String,
    metadata: Metadata,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    labels: std::collections::BTreeMap<String, String>,
}

impl Identity {
    /// Reads the object in a text, if it is one.
    fn of(text: &str) -> Option<Self> {
        serde_saphyr::from_str(text).ok()
    }

    fn is_labelled(&self) -> bool {
        let (name, value) = MANAGED_BY;
        self.metadata
            .labels
            .get(name)
            .is_some_and(|label| label == value)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.metadata.name == other.metadata.name
            && (other.is_labelled()
                || self.api_version == other.api_version
                    && self.metadata.namespace == other.metadata.namespace)
    }
}

/// Whether an old text has the same object as a new one: versions before this one wrote such files too. What has our label
/// may have been in another namespace.
pub(super) fn is_same_object(new: &str, old: &str) -> bool {
    match (Identity::of(new), Identity::of(old)) {
        (Some(new), Some(old)) => new.is_same(&old),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_recognized_by_what_identifies_it() {
        let object = |version: &str, kind: &str, name: &str, rest: &str| {
            format!("apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n{rest}")
        };
        let new = object("v1", "Service", "web", "  namespace: a\nspec: {x: [1]}\n");
        let ours = "  namespace: b\n  labels: {app.kubernetes.io/managed-by: ecs-operator}\n";
        for (old, expected) in [
            (new.clone(), true),
            (
                object("v1", "Service", "web", "  namespace: a\nspec: 1\n"),
                true,
            ),
            (
                r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"a"}}"#
                    .to_owned(),
                true,
            ),
            (object("v1", "Service", "web", ours), true),
            (object("v2", "Service", "web", ours), true),
            (object("v1", "Service", "web", "  namespace: b\n"), false),
            (object("v1", "Service", "web", ""), false),
            (object("v2", "Service", "web", "  namespace: a\n"), false),
            (object("v1", "Service", "api", "  namespace: a\n"), false),
            (object("v1", "Deployment", "web", ours), false),
            (format!("{new}---\n{new}"), false),
            ("a: {b".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_same_object(&new, &old), expected, "{old}");
        }
    }

    #[test]
    fn nothing_is_written_beside_a_file_of_somebody_else() {
        let root = std::env::temp_dir().join(format!("ecs-operator-folder-{}", std::process::id()));
        let read = |name: &str| fs::read_to_string(root.join(name)).ok();
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("b.yaml"), "old").unwrap();
        let write = |is_ours: bool| {
            let mut folder = Folder::new(root.clone());
            for name in ["a.yaml", "b.yaml", "in/c.yaml"] {
                folder.write(Path::new(name), name, |_| is_ours).unwrap();
            }
            folder.commit().map_err(|error| error.to_string())
        };
        let error = write(false).unwrap_err();
        assert!(!root.join("in").exists(), "an empty folder is left");
        assert!(
            error.contains("b.yaml") && !error.contains("a.yaml"),
            "{error}"
        );
        assert_eq!(
            (read("a.yaml"), read("b.yaml")),
            (None, Some("old".to_owned()))
        );
        assert_eq!(write(true), Ok(()));
        assert_eq!(read("in/c.yaml"), Some("in/c.yaml".to_owned()));
        assert_eq!(read("b.yaml"), Some("b.yaml".to_owned()));
        // What is as it was is ours.
        assert_eq!(write(false), Ok(()));
        let left = fs::read_dir(&root).unwrap().count();
        assert_eq!(left, 3, "temporary files are left");
        fs::remove_dir_all(&root).unwrap();
    }
}
