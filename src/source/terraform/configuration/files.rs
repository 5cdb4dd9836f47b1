//! The files that a configuration may read, and their paths.

use std::{collections::BTreeMap, fmt};

use super::super::super::text::SourceText;

/// Where the files of configurations come from. Paths are relative to the folder that was given, and have neither `.`
/// nor `..`.
pub(in crate::source) trait Files: fmt::Debug + Send + Sync {
    /// Returns the names of the files in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String>;

    /// Returns the paths of the files in a folder and below it, from the folder on, sorted, and not those that are
    /// hidden; `None` if there are more than `most`.
    fn below(&self, folder: &str, most: usize) -> Option<Vec<String>>;

    /// Returns whether there is a file; `None` if that may not be found out.
    fn is_there(&self, path: &str) -> Option<bool>;

    /// Returns the text of a file.
    ///
    /// # Errors
    ///
    /// Why it is not read.
    fn text(&self, path: &str) -> Result<SourceText, String>;

    /// Returns the absolute path of a folder, if it has one.
    fn absolute(&self, folder: &str) -> Option<String>;
}

/// Texts in memory, by their paths.
#[derive(Debug, Default)]
pub(in crate::source) struct Texts(pub(in crate::source) BTreeMap<String, SourceText>);

impl Files for Texts {
    fn absolute(&self, _folder: &str) -> Option<String> {
        None
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let names = self.0.keys().filter_map(|path| {
            let (outer, name) = split(path);
            (outer == folder).then(|| name.to_owned())
        });
        names.collect()
    }

    fn is_there(&self, path: &str) -> Option<bool> {
        Some(self.0.contains_key(path))
    }

    fn below(&self, folder: &str, most: usize) -> Option<Vec<String>> {
        let inside = self.0.keys().filter_map(|path| {
            let rest = path.strip_prefix(folder)?;
            match folder {
                "" => Some(rest),
                _ => rest.strip_prefix('/'),
            }
        });
        let is_seen = |path: &&str| path.split('/').all(|step| !step.starts_with('.'));
        let found: Vec<String> = inside.filter(is_seen).map(str::to_owned).collect();
        (found.len() <= most).then_some(found)
    }

    fn text(&self, path: &str) -> Result<SourceText, String> {
        let text = self.0.get(path).cloned();
        text.ok_or_else(|| "there is no such file".to_owned())
    }
}

/// Whether a file has the blocks of a module.
pub(in crate::source) fn is_source(name: &str) -> bool {
    let (_, name) = split(name);
    let native = name.strip_suffix(".json").unwrap_or(name);
    let stem = native.strip_suffix(".tf");
    stem.is_some_and(|stem| !stem.is_empty())
}

/// Whether a file of a configuration is in JSON.
pub(in crate::source) fn is_json(name: &str) -> bool {
    name.ends_with(".tf.json")
}

/// Whether a file overrides parts of other files
/// (<https://developer.hashicorp.com/terraform/language/files/override>).
pub(super) fn is_override(name: &str) -> bool {
    let (_, name) = split(name);
    let name = name.strip_suffix(".json").unwrap_or(name);
    name == "override.tf" || name.ends_with("_override.tf")
}

/// Returns the folder of a path and the name in it.
pub(in crate::source) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Returns a path that is relative to a folder; `None` if it leads out of the folder that was given.
pub(in crate::source) fn join(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains(['\\', ':', '\0']) {
        return None;
    }
    let mut steps: Vec<&str> = Vec::new();
    for step in folder.split('/').chain(path.split('/')) {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop()?;
            }
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

/// Returns the name of a file without the working directory: `./a.json` is `a.json`.
pub(in crate::source) fn plain(name: &str) -> &str {
    let mut plain = name;
    while let Some(rest) = plain.strip_prefix("./") {
        plain = rest.trim_start_matches('/');
    }
    plain
}

/// Returns the path from one folder to another, as `path.module` has it.
pub(in crate::source) fn relative(from: &str, to: &str) -> String {
    let steps = |path: &str| -> Vec<String> {
        let steps = path.split('/').filter(|step| !step.is_empty());
        steps.map(str::to_owned).collect()
    };
    let (from, to) = (steps(from), steps(to));
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.iter().skip(same).map(|_| "..".to_owned());
    let path: Vec<String> = up.chain(to.iter().skip(same).cloned()).collect();
    if path.is_empty() {
        ".".to_owned()
    } else {
        path.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for (folder, path, expected) in [
            ("", "./a/b.json", Some("a/b.json")),
            ("envs/prod", "../../modules/web", Some("modules/web")),
            ("envs", "./x/../y", Some("envs/y")),
            ("", "../x", None),
            ("envs", "../../x", None),
            ("", "/etc/passwd", None),
            ("", "a\\..\\..\\b", None),
            ("", "C:/x", None),
            ("", "a\0b", None),
        ] {
            assert_eq!(join(folder, path).as_deref(), expected, "{folder} {path}");
        }
    }

    #[test]
    fn paths_of_modules_are_relative_to_the_configuration() {
        for (from, to, expected) in [
            ("", "", "."),
            ("", "modules/web", "modules/web"),
            ("envs/prod", "modules/web", "../../modules/web"),
            ("envs/prod", "envs/prod/web", "web"),
        ] {
            assert_eq!(relative(from, to), expected, "{from} {to}");
            assert_eq!(join(from, expected).as_deref(), Some(to), "{from} {to}");
        }
    }
}
