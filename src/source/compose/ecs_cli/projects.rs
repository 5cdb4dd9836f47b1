//! Which files of Compose and which parameters belong together.

use std::{collections::BTreeMap, path::Path};

use super::super::{
    super::{
        syntax::parse_one,
        terraform::configuration::plain,
        text::{SourceText, stem},
        tree::{Member, Node},
    },
    is_file,
};

/// A file of YAML of the input.
#[derive(Debug)]
pub(in crate::source) struct Candidate {
    pub(in crate::source) name: String,
    /// Whether it was named itself, and not found in a folder.
    pub(in crate::source) is_named: bool,
}

/// The parameters of a file of Compose.
#[derive(Debug)]
pub(super) struct Params {
    /// Their file.
    pub(super) text: SourceText,
}

/// The projects of the Amazon ECS CLI in the input.
#[derive(Debug, Default)]
pub(crate) struct Projects {
    /// The parameters, by the names of the files of Compose.
    params: BTreeMap<String, Params>,
    /// The other files that a file of parameters may belong to, by its name: none if it has its file.
    unclear: BTreeMap<String, Vec<String>>,
    /// The files of Compose that nothing is made of, because their parameters are not clear.
    held: Vec<String>,
}

/// Whether a file has parameters of the Amazon ECS CLI, by its name: the tool's own default is `ecs-params.yml`.
pub(in crate::source) fn is_params(name: &str) -> bool {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let file = file.to_ascii_lowercase();
    let is_yaml = [".yml", ".yaml"].iter().any(|it| file.ends_with(it));
    is_yaml && (file.starts_with("ecs-params") || file.starts_with("ecs_params"))
}

/// Whether a document has parameters.
fn has_params(root: &Node<'_>) -> bool {
    let is_map = |member: &Member<'_>| member.value.members().is_some();
    let keys = ["task_definition", "run_params"];
    keys.iter().any(|key| root.member(key).is_some_and(is_map))
}

impl Projects {
    /// Finds the projects among the files of YAML, whose texts `read` returns.
    pub(in crate::source) fn of(
        candidates: &[Candidate],
        read: &dyn Fn(&str) -> Option<SourceText>,
    ) -> Self {
        let mut made = Self::default();
        let fits = |name: &str, fits: &dyn Fn(&Node<'_>) -> bool| {
            let text = read(name)?;
            let root = parse_one(name, text.text()).ok()??;
            fits(&root).then(|| text.clone())
        };
        let all = candidates.iter();
        let params: Vec<_> = all
            .clone()
            .filter(|it| is_params(&it.name))
            .filter_map(|it| Some((it, fits(&it.name, &has_params)?)))
            .collect();
        for (own, text) in &params {
            let beside = |it: &&Candidate| folder(&it.name) == folder(&own.name);
            let others = all.clone().filter(|it| !is_params(&it.name));
            let others = others.filter(|it| it.is_named || beside(it));
            let files = others.filter(|it| fits(&it.name, &is_file).is_some());
            let files: Vec<&Candidate> = files.collect();
            let named: Vec<_> = files.iter().filter(|it| it.is_named).copied().collect();
            let files = if named.is_empty() { files } else { named };
            let rivals = params.iter().filter(|(other, _)| {
                other.is_named == own.is_named && folder(&other.name) == folder(&own.name)
            });
            let rivals: Vec<&str> = rivals.map(|(other, _)| &*other.name).collect();
            match files.as_slice() {
                [] => {}
                [file] if rivals.len() == 1 => {
                    let text = text.clone();
                    made.params.insert(key(&file.name), Params { text });
                    made.unclear.insert(key(&own.name), Vec::new());
                }
                files => {
                    let names = files.iter().map(|it| it.name.clone());
                    made.held.extend(names.clone().map(|name| key(&name)));
                    let rivals = rivals.into_iter().map(str::to_owned);
                    made.unclear
                        .insert(key(&own.name), names.chain(rivals).collect());
                }
            }
        }
        made
    }

    /// Returns the parameters of a file of Compose.
    pub(super) fn params(&self, file: &str) -> Option<&Params> {
        self.params.get(&key(file))
    }

    /// Whether the parameters of a file of Compose are not clear.
    pub(super) fn is_held(&self, file: &str) -> bool {
        self.held.contains(&key(file))
    }

    /// Whether a file of Compose is one of a project.
    pub(in crate::source) fn has(&self, file: &str) -> bool {
        self.params(file).is_some()
    }

    /// Returns the files that a file of parameters may belong with, if that is not clear; `None` if it is no such file,
    /// or has no file of Compose.
    pub(in crate::source) fn unclear(&self, file: &str) -> Option<&[String]> {
        self.unclear.get(&key(file)).map(Vec::as_slice)
    }
}

fn key(name: &str) -> String {
    plain(name).to_owned()
}

fn folder(name: &str) -> Option<&Path> {
    Path::new(plain(name)).parent()
}

/// Returns the name of the project of a file, as the tool has it: that of its folder.
pub(super) fn project_of(file: &str) -> String {
    let around = folder(file).and_then(Path::file_name);
    let around = around.map(|name| name.to_string_lossy().into_owned());
    around.unwrap_or_else(|| stem(file))
}
