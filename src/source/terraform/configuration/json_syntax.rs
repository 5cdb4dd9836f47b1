//! Configurations in JSON (<https://developer.hashicorp.com/terraform/language/syntax/json>). They are written in the
//! native syntax, which is parsed as that of any other file; the positions are those in the JSON.

use hcl_edit::{
    parser::{parse_body, parse_expr},
    structure::Body,
};

use super::{
    super::super::{
        json::JsonDocuments,
        text::Span,
        tree::{Member, Node, SyntaxError, Value},
    },
    interpolation::expression_in,
};

/// The blocks of a file, and how many labels each has.
const BLOCKS: &[(&str, usize)] = &[
    ("data", 2),
    ("locals", 0),
    ("module", 1),
    ("output", 1),
    ("provider", 1),
    ("resource", 2),
    ("variable", 1),
];

/// The member that is a comment.
const COMMENT: &str = "//";

/// Where the parts of a text in the native syntax are in the JSON.
#[derive(Debug, Default)]
pub(super) struct Positions(Vec<Part>);

#[derive(Debug)]
struct Part {
    start: usize,
    end: usize,
    span: Span,
}

impl Positions {
    /// Returns the position of the innermost part that has the start of a span.
    pub(super) fn of(&self, span: Span) -> Span {
        let count = self.0.partition_point(|part| part.start <= span.start);
        let before = self.0.get(..count).unwrap_or_default();
        let mut outward = before.iter().rev();
        let found = outward.find(|part| part.end > span.start);
        found.map_or_else(Span::default, |part| part.span)
    }
}

/// Returns the blocks of a file in JSON.
///
/// # Errors
///
/// What is wrong, and where.
pub(super) fn body(text: &str) -> Result<(Body, Positions), SyntaxError> {
    parsed(text, Writer::file)
}

/// Returns the values of variables in a file in JSON, as attributes
/// (<https://developer.hashicorp.com/terraform/language/values/variables#variable-definitions-tfvars-files>).
///
/// # Errors
///
/// What is wrong, and where.
pub(super) fn values(text: &str) -> Result<(Body, Positions), SyntaxError> {
    parsed(text, Writer::values)
}

/// Returns what is written of a file in JSON.
fn parsed(
    text: &str,
    write: impl FnOnce(&mut Writer, &Node<'_>) -> Result<(), SyntaxError>,
) -> Result<(Body, Positions), SyntaxError> {
    let mut writer = Writer::default();
    if let Some(document) = JsonDocuments::new(text).next_document()? {
        write(&mut writer, &document.root)?;
    }
    let Writer { native, positions } = writer;
    let body = parse_body(&native).map_err(|error| {
        let at = error.location().offset();
        let message = error.message().trim().to_owned();
        SyntaxError::new(positions.of(Span::new(at, at)), message)
    })?;
    Ok((body, positions))
}

/// What is written, and where it comes from. The depth of JSON is limited where it is parsed.
#[derive(Default)]
struct Writer {
    native: String,
    positions: Positions,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.native.push_str(text);
    }

    /// Writes what is at a position in the JSON.
    fn at(
        &mut self,
        span: Span,
        write: impl FnOnce(&mut Self) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        let (number, start) = (self.positions.0.len(), self.native.len());
        let end = start;
        self.positions.0.push(Part { start, end, span });
        write(self)?;
        let end = self.native.len();
        if let Some(part) = self.positions.0.get_mut(number) {
            part.end = end;
        }
        Ok(())
    }

    /// Writes the values of variables, which are literal.
    fn values(&mut self, root: &Node<'_>) -> Result<(), SyntaxError> {
        for member in members(root)?.iter().filter(|it| it.key != COMMENT) {
            self.name(member)?;
            self.push(" = ");
            self.value(&member.value, true)?;
            self.push("\n");
        }
        Ok(())
    }

    fn file(&mut self, root: &Node<'_>) -> Result<(), SyntaxError> {
        for object in one_or_all(root) {
            for member in members(object)? {
                let key = &*member.key;
                let block = BLOCKS.iter().find(|(name, _)| *name == key);
                if let Some((name, labels)) = block {
                    self.blocks(name, &member.value, *labels, &mut Vec::new())?;
                }
            }
        }
        Ok(())
    }

    /// Writes the blocks of a kind: an object for each label that is missing, and then their bodies.
    fn blocks<'n>(
        &mut self,
        kind: &str,
        node: &'n Node<'_>,
        missing: usize,
        labels: &mut Vec<&'n Member<'n>>,
    ) -> Result<(), SyntaxError> {
        for object in one_or_all(node) {
            let Some(missing) = missing.checked_sub(1) else {
                self.block(kind, object, labels)?;
                continue;
            };
            for member in members(object)? {
                if member.key == COMMENT {
                    continue;
                }
                labels.push(member);
                self.blocks(kind, &member.value, missing, labels)?;
                labels.pop();
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        kind: &str,
        object: &Node<'_>,
        labels: &[&Member<'_>],
    ) -> Result<(), SyntaxError> {
        let head = labels.last().map_or(object.span, |it| it.key_span);
        self.at(object.span, |this| {
            this.at(head, |this| {
                this.push(kind);
                for label in labels {
                    this.push(" ");
                    this.text(&label.key, true);
                }
                Ok(())
            })?;
            this.push(" {\n");
            this.body(object, kind)?;
            this.push("}\n");
            Ok(())
        })
    }

    fn body(&mut self, object: &Node<'_>, kind: &str) -> Result<(), SyntaxError> {
        for member in members(object)? {
            let key = &*member.key;
            if key == COMMENT {
                continue;
            }
            if key == "dynamic" {
                self.dynamic(&member.value)?;
                continue;
            }
            self.name(member)?;
            self.push(" = ");
            self.argument(member, kind)?;
            self.push("\n");
        }
        Ok(())
    }

    /// Writes the name of an argument.
    fn name(&mut self, member: &Member<'_>) -> Result<(), SyntaxError> {
        let mut characters = member.key.bytes();
        let is_start = characters
            .next()
            .is_some_and(|it| it.is_ascii_alphabetic() || it == b'_');
        let is_rest = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
        if !is_start || !characters.all(is_rest) {
            let message = "this is no name of an argument";
            return Err(SyntaxError::new(member.key_span, message));
        }
        self.at(member.key_span, |this| {
            this.push(&member.key);
            Ok(())
        })
    }

    fn argument(&mut self, member: &Member<'_>, kind: &str) -> Result<(), SyntaxError> {
        let (key, value) = (&*member.key, &member.value);
        match &value.value {
            // A type is an expression in a text.
            Value::String(text) if kind == "variable" && key == "type" => {
                let is_type = !text.contains('\n') && parse_expr(text).is_ok();
                self.at(value.span, |this| {
                    if is_type {
                        this.push(text);
                    } else {
                        this.text(text, true);
                    }
                    Ok(())
                })
            }
            _ => self.value(value, kind == "variable"),
        }
    }

    /// Writes blocks of the kinds that an object has.
    fn dynamic(&mut self, node: &Node<'_>) -> Result<(), SyntaxError> {
        for member in one_or_all(node).iter().map(members) {
            for label in member? {
                for object in one_or_all(&label.value) {
                    self.at(label.key_span, |this| {
                        this.push("dynamic ");
                        this.text(&label.key, true);
                        Ok(())
                    })?;
                    self.push(" {\n");
                    for part in members(object)? {
                        self.dynamic_part(part)?;
                    }
                    self.push("}\n");
                }
            }
        }
        Ok(())
    }

    fn dynamic_part(&mut self, part: &Member<'_>) -> Result<(), SyntaxError> {
        match (&*part.key, &part.value.value) {
            ("content", _) => {
                for content in one_or_all(&part.value) {
                    self.push("content {\n");
                    self.body(content, "content")?;
                    self.push("}\n");
                }
                Ok(())
            }
            // It is a name.
            ("iterator", Value::String(name)) if parse_expr(name).is_ok() => {
                self.push("iterator = ");
                self.push(name);
                self.push("\n");
                Ok(())
            }
            ("for_each", _) => {
                self.push("for_each = ");
                self.value(&part.value, false)?;
                self.push("\n");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Writes a value. Its texts are templates, unless it is literal.
    fn value(&mut self, node: &Node<'_>, is_literal: bool) -> Result<(), SyntaxError> {
        self.at(node.span, |this| {
            match &node.value {
                Value::Null | Value::Unresolved(_) => this.push("null"),
                Value::Bool(text) | Value::Number(text) => this.push(text),
                Value::String(text) => this.text(text, is_literal),
                Value::List(elements) => {
                    this.push("[");
                    for element in elements {
                        this.value(element, is_literal)?;
                        this.push(", ");
                    }
                    this.push("]");
                }
                Value::Object(members) => {
                    this.push("{ ");
                    for member in members {
                        this.at(member.key_span, |this| {
                            this.text(&member.key, is_literal);
                            Ok(())
                        })?;
                        this.push(" = ");
                        this.value(&member.value, is_literal)?;
                        this.push(", ");
                    }
                    this.push("}");
                }
            }
            Ok(())
        })
    }

    /// Writes a text in quotes. What is between `${` and `}` is an expression, and stays as it is.
    fn text(&mut self, text: &str, is_literal: bool) {
        self.push("\"");
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_mark = |it: &str| rest.starts_with(it);
            if is_literal && (is_mark("${") || is_mark("%{")) {
                // Doubled, it begins no expression.
                self.native.push(first);
            } else if is_mark("$${") || is_mark("%%{") {
                let (mark, after) = rest.split_at(3);
                self.push(mark);
                rest = after;
                continue;
            } else if is_mark("${") || is_mark("%{") {
                let (expression, after) = rest.split_at(expression_in(rest));
                self.push(&expression.replace(['\n', '\r'], " "));
                rest = after;
                continue;
            }
            match first {
                '"' => self.push("\\\""),
                '\\' => self.push("\\\\"),
                '\n' => self.push("\\n"),
                '\r' => self.push("\\r"),
                '\t' => self.push("\\t"),
                c => self.native.push(c),
            }
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
        self.push("\"");
    }
}

/// Returns the elements of a list, or the only one.
fn one_or_all<'n, 'a>(node: &'n Node<'a>) -> &'n [Node<'a>] {
    match &node.value {
        Value::List(elements) => elements,
        _ => std::slice::from_ref(node),
    }
}

fn members<'n, 'a>(node: &'n Node<'a>) -> Result<&'n [Member<'a>], SyntaxError> {
    let found = node.members();
    found.ok_or_else(|| {
        let message = format!("an object is needed here, and not {}", node.describe());
        SyntaxError::new(node.span, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(text: &str) -> String {
        let mut writer = Writer::default();
        let document = JsonDocuments::new(text).next_document();
        let root = document.unwrap().unwrap().root;
        match writer.file(&root) {
            Ok(()) => writer.native,
            Err(error) => error.message,
        }
    }

    #[test]
    fn json_is_written_in_the_native_syntax() {
        for (json, expected) in [
            (
                r#"{"//": "x", "resource": {"a": {"b": {"//": 1, "n": 1.5, "t": "x-${var.y}", "l": [true, null]}}}}"#,
                "resource \"a\" \"b\" {\nn = 1.5\nt = \"x-${var.y}\"\nl = [true, null, ]\n}\n",
            ),
            (
                r#"{"variable": {"v": {"type": "map(string)", "default": {"k": "${x}"}}}}"#,
                "variable \"v\" {\ntype = map(string)\ndefault = { \"k\" = \"$${x}\", }\n}\n",
            ),
            (
                r#"{"locals": [{"a": "q\"\\\n"}, {"b": "${f(\"}${g}\")} $${z}"}]}"#,
                "locals {\na = \"q\\\"\\\\\\n\"\n}\nlocals {\nb = \"${f(\"}${g}\")} $${z}\"\n}\n",
            ),
            (
                r#"{"resource": {"a": {"b": [{"load_balancer": {"p": 1}, "dynamic": {"d": {"for_each": "${x}", "iterator": "i", "content": {"c": 1}}}}]}}}"#,
                "resource \"a\" \"b\" {\nload_balancer = { \"p\" = 1, }\ndynamic \"d\" {\nfor_each = \"${x}\"\niterator = i\ncontent {\nc = 1\n}\n}\n}\n",
            ),
            (
                r#"{"output": {"o": {"a b": 1}}}"#,
                "this is no name of an argument",
            ),
            (
                r#"{"output": {"o": 1}}"#,
                "an object is needed here, and not a number",
            ),
        ] {
            assert_eq!(native(json), expected, "{json}");
        }
    }

    #[test]
    fn positions_are_those_in_the_json() {
        let text = r#"{"resource": {"a": {"b": {"n": ["x", "${y}"]}}}}"#;
        let (body, positions) = body(text).unwrap();
        let block = body.get_blocks("resource").next().unwrap();
        let attribute = block.body.get_attribute("n").unwrap();
        let list = attribute.value.as_array().unwrap();
        let spans = [
            hcl_edit::Span::span(&block.ident),
            hcl_edit::Span::span(&attribute.key),
            hcl_edit::Span::span(list.get(1).unwrap()),
        ];
        let found = spans.map(|span| {
            let span = span.unwrap();
            let span = positions.of(Span::new(span.start, span.end));
            &text[span.start..span.end]
        });
        assert_eq!(found, ["\"b\"", "\"n\"", "\"${y}\""]);
    }

    #[test]
    fn mistakes_are_where_they_are_in_the_json() {
        for (text, expected) in [
            (r#"{"locals": {"a": "${1 +}"}}"#, "\"${1 +}\""),
            (r#"{"locals": 1}"#, "1"),
        ] {
            let error = body(text).unwrap_err();
            let found = &text[error.span.start..error.span.end];
            assert_eq!(found, expected, "{}", error.message);
        }
    }
}
