//! The files that others of the input may name: those of the folders that are given, and for configurations of Terraform
//! also those of the Git work tree around them. Templates of CloudFormation and ecspresso stay in the folder.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{
    read::{bytes, decode},
    terraform::configuration::{Files, relative},
    text::SourceText,
};

/// The largest file that is read because another one names it.
const LARGEST_READ: u64 = 8 << 20;

/// The files below the folders that are given, and below the border around them. Nothing outside is read, also not
/// through links, and nothing hidden.
#[derive(Debug)]
pub(super) struct Below {
    /// The folder that has everything.
    border: PathBuf,
    /// The folders that are given: where each is below the border, and its path.
    given: Vec<(String, PathBuf)>,
}

impl Below {
    /// Returns what may be read of the folders that are given, by their paths below the border.
    pub(super) const fn new(border: PathBuf, given: Vec<(String, PathBuf)>) -> Self {
        Self { border, given }
    }

    /// Returns what is below one folder alone.
    pub(super) fn folder(folder: PathBuf) -> Self {
        let given = vec![(String::new(), folder.clone())];
        Self::new(folder, given)
    }

    /// Returns the folder that is given around a path, and the rest of the path.
    fn around<'s>(&'s self, path: &'s str) -> Option<(&'s Path, &'s str)> {
        let inside = self.given.iter().filter_map(|(prefix, root)| {
            let rest = path.strip_prefix(&**prefix)?;
            let is_inside = prefix.is_empty() || rest.is_empty() || rest.starts_with('/');
            is_inside.then(|| (&**root, rest.trim_start_matches('/')))
        });
        inside.min_by_key(|(_, rest)| rest.len())
    }

    /// Returns the path of a file as messages have it, which leads from the folder that is given.
    fn named(&self, path: &str) -> PathBuf {
        if let Some((root, rest)) = self.around(path) {
            return root.join(rest);
        }
        let Some((prefix, root)) = self.given.first() else {
            return self.border.join(path);
        };
        let mut named = root.clone();
        for step in relative(prefix, path).split('/') {
            let is_name = matches!(named.components().next_back(), Some(Component::Normal(_)));
            if step == ".." && is_name {
                named.pop();
            } else {
                named.push(step);
            }
        }
        named
    }

    /// Returns the resolved path of what may be read.
    fn inside(&self, path: &str) -> io::Result<PathBuf> {
        let around = self.around(path);
        let path = around.map_or_else(|| self.border.join(path), |(root, rest)| root.join(rest));
        let resolved = resolved(&path)?;
        let border = self::resolved(&self.border)?;
        let Ok(rest) = resolved.strip_prefix(&border) else {
            let message = "it is outside of the folder that is given, and of its Git work tree";
            return Err(io::Error::other(message));
        };
        // A folder that is given may be hidden itself.
        let roots = self.given.iter();
        let roots = roots.filter_map(|(_, root)| self::resolved(root).ok());
        let below = roots.filter_map(|root| resolved.strip_prefix(root).ok());
        let rest = below.min_by_key(|rest| rest.iter().count()).unwrap_or(rest);
        // Git keeps credentials in its own folder, and others keep theirs beside it.
        if rest
            .iter()
            .any(|step| step.as_encoded_bytes().starts_with(b"."))
        {
            return Err(io::Error::other("it is hidden"));
        }
        Ok(resolved)
    }
}

/// Returns a path without links. An empty one is the working directory.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let here = Path::new(".");
    fs::canonicalize(if path.as_os_str().is_empty() {
        here
    } else {
        path
    })
}

/// Returns the Git work tree around a folder, and the path of the folder in it. A home folder, or one around it, is none:
/// it has more than what belongs to a project.
pub(super) fn work_tree(folder: &Path) -> Option<(PathBuf, String)> {
    let folder = resolved(folder).ok()?;
    let home = env::var_os("HOME").and_then(|home| resolved(Path::new(&home)).ok());
    let mut outer = folder.ancestors();
    let tree = outer.find(|it| it.join(".git").exists())?;
    if tree.parent().is_none() || home.is_some_and(|home| home.starts_with(tree)) {
        return None;
    }
    let inside = folder.strip_prefix(tree).ok()?;
    let steps: Option<Vec<&str>> = inside.iter().map(OsStr::to_str).collect();
    Some((tree.to_path_buf(), steps?.join("/")))
}

impl Files for Below {
    fn absolute(&self, folder: &str) -> Option<String> {
        let path = self.inside(folder).ok()?;
        path.to_str().map(str::to_owned)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(path) = self.inside(folder) else {
            return Vec::new();
        };
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    fn is_there(&self, path: &str) -> Option<bool> {
        match self.inside(path) {
            Ok(path) => Some(path.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(false),
            Err(_) => None,
        }
    }

    fn below(&self, folder: &str, most: usize) -> Option<Vec<String>> {
        let Ok(root) = self.inside(folder) else {
            return Some(Vec::new());
        };
        let mut found = Vec::new();
        let mut folders = vec![(root, String::new())];
        let mut seen = 0_usize;
        while let Some((path, prefix)) = folders.pop() {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                seen = seen.saturating_add(1);
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    continue;
                };
                if seen > most {
                    return None;
                }
                if name.starts_with('.') {
                    continue;
                }
                let inner = format!("{prefix}{name}");
                // A link may lead out, or around in a circle.
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push((entry.path(), format!("{inner}/"))),
                    Ok(kind) if kind.is_file() => found.push(inner),
                    _ => {}
                }
            }
        }
        found.sort();
        Some(found)
    }

    fn text(&self, path: &str) -> Result<SourceText, String> {
        let read = || {
            let resolved = self.inside(path)?;
            if !fs::metadata(&resolved)?.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            bytes(fs::File::open(&resolved)?, 0, LARGEST_READ)
        };
        let bytes = read().map_err(|error: io::Error| error.to_string())?;
        let text = decode(&self.named(path).display().to_string(), &bytes);
        text.map_err(|problem| problem.message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_folder_that_is_given() {
        for (prefix, root, path, expected) in [
            ("", "", "main.tf", "main.tf"),
            ("", "infra", "web/main.tf", "infra/web/main.tf"),
            (
                "envs/prod",
                "envs/prod",
                "envs/prod/main.tf",
                "envs/prod/main.tf",
            ),
            ("envs/prod", "envs/prod", "modules/a.tf", "modules/a.tf"),
            ("envs/prod", "", "modules/a.tf", "../../modules/a.tf"),
            ("envs/prod", "prod", "modules/a.tf", "../modules/a.tf"),
            ("envs/prod", "/r/envs/prod", "envs/b.tf", "/r/envs/b.tf"),
            (
                "envs/prod",
                "envs/prod",
                "envs/production/a.tf",
                "envs/production/a.tf",
            ),
        ] {
            let given = vec![(prefix.to_owned(), PathBuf::from(root))];
            let below = Below::new(PathBuf::from("/r"), given);
            assert_eq!(below.named(path), Path::new(expected), "{root} {path}");
        }
    }

    #[test]
    fn a_work_tree_is_the_nearest_folder_with_one() {
        let own = format!("ecs-operator-tree-{}", std::process::id());
        let root = resolved(&env::temp_dir()).unwrap().join(own);
        fs::create_dir_all(root.join("outer/inner/a/b")).unwrap();
        fs::create_dir_all(root.join("outer/.git")).unwrap();
        // The work tree of a submodule has a file.
        fs::write(root.join("outer/inner/.git"), "gitdir: x").unwrap();
        let found = |path: &str| work_tree(&root.join(path));
        let tree = |path: &str, inside: &str| Some((root.join(path), inside.to_owned()));
        assert_eq!(found("outer/inner/a/b"), tree("outer/inner", "a/b"));
        assert_eq!(found("outer/inner"), tree("outer/inner", ""));
        assert_eq!(found("outer"), tree("outer", ""));
        assert_eq!(found("none"), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
