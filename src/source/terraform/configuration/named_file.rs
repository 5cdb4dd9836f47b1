//! The files that what is not converted reads, such as policies: they are parts of the configuration, and no documents of
//! their own.

use hcl_edit::{
    expr::{Expression, FuncCall},
    structure::Body,
    visit::{Visit, visit_func_call},
};

use super::{
    super::table::Type,
    evaluator::{Evaluator, ONCE},
    files::join,
    module::Module,
};

/// The functions that read a file.
const FUNCTIONS: &[&str] = &["file", "filebase64", "templatefile"];

/// The most files that are looked for.
const MOST: usize = 2_000;

/// The paths in calls of these functions.
#[derive(Default)]
struct Found(Vec<Expression>);

impl Visit for Found {
    fn visit_func_call(&mut self, node: &FuncCall) {
        let is_of_file = FUNCTIONS.contains(&node.name.name.as_str());
        if is_of_file && let Some(path) = node.args.iter().next() {
            self.0.push(path.clone());
        }
        visit_func_call(self, node);
    }
}

impl Module {
    /// Returns the paths in what is not evaluated as a whole, each with the number of its file.
    fn paths(&self) -> Vec<(usize, Expression)> {
        let resources = self.resources.iter();
        let others = resources.filter(|it| Type::named(&it.type_).is_none());
        let others = others.chain(&self.data).map(|it| &it.declared);
        let calls = self.calls.iter().map(|it| &it.declared);
        let all = others.chain(calls).chain(self.outputs.values());
        let mut found = Vec::new();
        let mut add = |file: usize, body: &Body| {
            let mut paths = Found::default();
            paths.visit_body(body);
            found.extend(paths.0.into_iter().map(|path| (file, path)));
        };
        for declared in all {
            add(declared.file, &declared.block.body);
        }
        for (file, local) in self.locals.values() {
            add(*file, &Body::from(vec![local.clone().into()]));
        }
        found
    }
}

impl Evaluator<'_> {
    /// Remembers the files that are named by paths which are known.
    pub(super) fn read_named_files(&mut self) {
        let mut left = MOST;
        for module in 0..self.instances.len() {
            let is_described = self.module(module).is_some_and(|it| it.is_described);
            let paths = self.module(module).filter(|_| !is_described);
            for (file, path) in paths.map(Module::paths).unwrap_or_default() {
                left = left.saturating_sub(1);
                if left == 0 {
                    return;
                }
                let context = self.context(module, file, ONCE);
                let path = self.expression(&path, &context).ok();
                let root = self.module(0).map_or("", |it| &*it.path);
                let inside = path.and_then(|it| join(root, it.text()?));
                // What cannot be read is said where it is needed.
                if let Some(Ok(text)) = inside.map(|it| self.files.text(&it))
                    && !may_run_tasks(text.text())
                {
                    self.read.insert(text.name().to_owned());
                }
            }
        }
    }
}

/// Whether a text has what only a document of ECS has, which is converted by itself then.
fn may_run_tasks(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["containerdefinitions", "\"image\"", "taskdefinition\""]
        .iter()
        .any(|name| text.contains(name))
}
