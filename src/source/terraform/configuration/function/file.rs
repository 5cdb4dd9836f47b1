//! Functions that read files (<https://developer.hashicorp.com/terraform/language/functions/file>). Only files below the
//! folder that was given are read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        evaluator::Evaluator,
        files::join,
        value::{Failure, Kind, Val},
    },
    Arguments,
};

impl Evaluator<'_> {
    pub(super) fn file_function(
        &mut self,
        arguments: &Arguments<'_>,
    ) -> Result<Option<Val>, Failure> {
        let here = arguments.here;
        let value = match arguments.name {
            "file" => arguments.made_text(self.file(&arguments.text(0)?)?),
            "filebase64" => {
                let text = self.file(&arguments.text(0)?)?;
                arguments.made_text(STANDARD.encode(text))
            }
            "filesha256" | "filebase64sha256" => {
                let text = self.file(&arguments.text(0)?)?;
                let digest = Sha256::digest(text);
                let is_base64 = arguments.name == "filebase64sha256";
                let hexadecimal = || digest.iter().map(|byte| format!("{byte:02x}")).collect();
                let text = if is_base64 {
                    STANDARD.encode(digest)
                } else {
                    hexadecimal()
                };
                arguments.made_text(text)
            }
            "fileexists" => {
                let exists = self.file(&arguments.text(0)?).is_ok();
                arguments.made_bool(exists)
            }
            "templatefile" => {
                if let Kind::Unknown(_) = arguments.get(0)?.kind {
                    return Ok(Some(self.open(&[arguments.get(0)?], here)));
                }
                let path = arguments.text(0)?;
                let text = self.file(&path)?;
                let rendered = self.rendered_text(&text, arguments.all().get(1), here);
                rendered.map_err(|failure| Failure {
                    why: format!("{path}: {}", failure.why),
                    ..failure
                })?
            }
            "templatestring" => {
                let text = arguments.text(0)?;
                self.rendered_text(&text, arguments.all().get(1), here)?
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    /// Returns the text of a file, whose path is relative to the folder of the configuration.
    fn file(&mut self, path: &str) -> Result<String, Failure> {
        let root = self.module(0).map_or("", |it| &*it.path);
        let Some(inside) = join(root, path) else {
            return Err(Failure::new(format!(
                "{path} is neither below the folder that is given nor in its Git work tree, so it is not read"
            )));
        };
        let text = self.files.text(&inside);
        let text = text.map_err(|why| Failure::new(format!("{path} cannot be read: {why}")))?;
        self.spend(1, text.text().len())?;
        self.read.insert(text.name().to_owned());
        Ok(text.text().to_owned())
    }
}
