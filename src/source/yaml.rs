//! Parses YAML text into trees, with the 1.2 core schema, anchors, merge keys and CloudFormation's short tags.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::{
    json::twice,
    offsets::Offsets,
    placeholder::{placeholder_at, placeholders},
    text::Span,
    tree::{DEPTH_LIMIT, Member, Node, Parsed, Size, SyntaxError, Value, duplicate_key},
};

/// The maximum size that the aliases of one document may expand to.
const ALIAS_LIMIT: Size = Size {
    values: 10_000,
    text: 1 << 20,
};

/// The maximum size that the anchors of one document may store. Nested anchors store the same values several times.
const ANCHOR_LIMIT: Size = Size {
    values: 1_000_000,
    text: 1 << 26,
};

/// The documents of a YAML text, separated by `---`. Empty documents are skipped.
pub(super) struct YamlDocuments<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    offsets: Offsets<'a>,
    /// Where the last document ended.
    end: usize,
    depth: usize,
    anchors: BTreeMap<usize, Node<'a>>,
    anchored: Size,
    aliased: Size,
}

impl<'a> YamlDocuments<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            parser: Parser::new_from_str(text),
            offsets: Offsets::new(text),
            end: 0,
            depth: 0,
            anchors: BTreeMap::new(),
            anchored: Size::default(),
            aliased: Size::default(),
        }
    }

    /// Returns the next document that is not empty, or `None` at the end. After an error, no more documents follow.
    pub(super) fn next_document(&mut self) -> Result<Option<Parsed<'a>>, SyntaxError> {
        loop {
            match self.event()? {
                Some((Event::DocumentStart(_), _)) => {
                    let parsed = self.document()?;
                    if !matches!(parsed.root.value, Value::Null) {
                        return Ok(Some(parsed));
                    }
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    fn document(&mut self) -> Result<Parsed<'a>, SyntaxError> {
        self.anchors.clear();
        self.anchored = Size::default();
        self.aliased = Size::default();
        let root = self.node()?;
        let start = self.end;
        while let Some((event, span)) = self.event()? {
            if event == Event::DocumentEnd {
                self.end = span.start.max(root.span.end);
                break;
            }
        }
        Ok(Parsed {
            root,
            slice: Span::new(start, self.end),
        })
    }

    fn event(&mut self) -> Result<Option<(Event<'a>, Span)>, SyntaxError> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => {
                let start = self.offsets.byte(span.start.index());
                let end = self.offsets.byte(span.end.index()).max(start);
                Ok(Some((event, Span::new(start, end))))
            }
            Some(Err(error)) => Err(self.explain(&error)),
        }
    }

    fn expect(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        self.event()?.ok_or_else(|| {
            let end = self.text.len();
            SyntaxError::new(Span::new(end, end), "unexpected end of the text")
        })
    }

    fn node(&mut self) -> Result<Node<'a>, SyntaxError> {
        let (event, span) = self.expect()?;
        self.node_of(event, span)
    }

    fn node_of(&mut self, event: Event<'a>, span: Span) -> Result<Node<'a>, SyntaxError> {
        let (node, anchor, tag) = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(text, style, tag.as_deref());
                (Node { value, span }, anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.nested(span, Self::list)?, anchor, tag),
            Event::MappingStart(anchor, tag) => match self.bare_placeholder(span)? {
                Some(node) => (node, anchor, tag),
                None => (self.nested(span, Self::object)?, anchor, tag),
            },
            _ => return Err(SyntaxError::new(span, "expected a value")),
        };
        let node = match tag.as_deref().and_then(function_name) {
            Some(name) => Node {
                span,
                value: Value::Object(vec![Member {
                    key: Cow::Owned(name),
                    key_span: span,
                    value: node,
                }]),
            },
            None => node,
        };
        if anchor > 0 {
            spend(
                &mut self.anchored,
                &node,
                ANCHOR_LIMIT,
                "anchors keep",
                span,
            )?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node<'a>, SyntaxError> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(SyntaxError::new(span, "the alias is inside its own anchor"));
        };
        spend(
            &mut self.aliased,
            node,
            ALIAS_LIMIT,
            "aliases stand for",
            span,
        )?;
        Ok(node.clone())
    }

    /// Parses `{{ name }}` without quotes, which YAML reads as a mapping with a mapping as its key. It is a
    /// placeholder, which is checked in its context.
    fn bare_placeholder(&mut self, span: Span) -> Result<Option<Node<'a>>, SyntaxError> {
        let Some(found) = self
            .text
            .get(span.start..)
            .filter(|text| text.starts_with("{{"))
            .and_then(placeholder_at)
        else {
            return Ok(None);
        };
        let span = Span::new(span.start, span.start + found.text.len());
        let mut open = 1_usize;
        while open > 0 {
            match self.expect()?.0 {
                Event::MappingStart(..) | Event::SequenceStart(..) => open += 1,
                Event::MappingEnd | Event::SequenceEnd => open -= 1,
                _ => {}
            }
        }
        Ok(Some(Node {
            value: Value::String(found.text.into()),
            span,
        }))
    }

    fn nested(
        &mut self,
        open: Span,
        content: fn(&mut Self) -> Result<(Value<'a>, usize), SyntaxError>,
    ) -> Result<Node<'a>, SyntaxError> {
        if self.depth == DEPTH_LIMIT {
            let message = format!("nested deeper than {DEPTH_LIMIT} levels");
            return Err(SyntaxError::new(open, message));
        }
        self.depth += 1;
        let (value, end) = content(self)?;
        self.depth -= 1;
        let start = open.start;
        let end = start
            + self
                .text
                .get(start..end)
                .map_or(0, |text| text.trim_end().len());
        Ok(Node {
            value,
            span: Span::new(start, end),
        })
    }

    fn list(&mut self) -> Result<(Value<'a>, usize), SyntaxError> {
        let mut elements = Vec::new();
        loop {
            let (event, span) = self.expect()?;
            if event == Event::SequenceEnd {
                return Ok((Value::List(elements), span.end));
            }
            elements.push(self.node_of(event, span)?);
        }
    }

    fn object(&mut self) -> Result<(Value<'a>, usize), SyntaxError> {
        let mut members = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (key, key_span) = match self.expect()? {
                (Event::MappingEnd, span) => {
                    if let Some(duplicate) = duplicate_key(&members) {
                        return Err(twice(duplicate));
                    }
                    merge(&mut members, merged)?;
                    return Ok((Value::Object(members), span.end));
                }
                (Event::Scalar(key, style, ..), span) => ((key, style), span),
                (_, span) => {
                    return Err(SyntaxError::new(span, "a key must be a plain scalar"));
                }
            };
            let value = self.node()?;
            let (key, style) = key;
            if key == "<<" && style == ScalarStyle::Plain {
                merged.push(value);
            } else {
                members.push(Member {
                    key,
                    key_span,
                    value,
                });
            }
        }
    }

    /// Returns the parser's message, unless the cause is a template that was not rendered.
    fn explain(&self, error: &ScanError) -> SyntaxError {
        let start = self.offsets.byte(error.marker().index());
        let line_start = self
            .text
            .get(..start)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |newline| newline + 1);
        let line = self.text.get(line_start..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        let end = self
            .text
            .get(start..)
            .and_then(|rest| rest.chars().next())
            .map_or(start, |c| start + c.len_utf8());
        let message = match placeholders(line).next() {
            Some(found) => format!("{} needs quotes", found.text),
            None if line.contains("{%") => "render the template first".to_owned(),
            None if line.trim_start().starts_with('\t') || line.starts_with('\t') => {
                "YAML is indented with spaces, not with tabs".to_owned()
            }
            // AWS is not as strict.
            None if error.info() == "invalid indentation in flow construct" => {
                "a line inside of brackets needs more indentation than the key before them"
                    .to_owned()
            }
            None => error.info().to_owned(),
        };
        SyntaxError::new(Span::new(start, end), message)
    }
}

/// Adds the size of `node` to the used size, up to `limit`.
fn spend(
    spent: &mut Size,
    node: &Node<'_>,
    limit: Size,
    what: &str,
    span: Span,
) -> Result<(), SyntaxError> {
    spent.add(node.size(limit));
    let much = if spent.values > limit.values {
        format!("{} values", limit.values)
    } else if spent.text > limit.text {
        format!("{} MiB of text", limit.text >> 20)
    } else {
        return Ok(());
    };
    let message = format!("the {what} more than {much}");
    Err(SyntaxError::new(span, message))
}

/// Adds the members of `<<` mappings that do not exist yet.
fn merge<'a>(members: &mut Vec<Member<'a>>, merged: Vec<Node<'a>>) -> Result<(), SyntaxError> {
    if merged.is_empty() {
        return Ok(());
    }
    let mut known: HashSet<_> = members.iter().map(|member| member.key.clone()).collect();
    let mut sources = Vec::new();
    for node in merged {
        match node.value {
            Value::List(elements) => sources.extend(elements),
            _ => sources.push(node),
        }
    }
    for source in sources {
        let Value::Object(inherited) = source.value else {
            return Err(SyntaxError::new(
                source.span,
                "<< takes a mapping or a list of mappings",
            ));
        };
        for member in inherited {
            if known.insert(member.key.clone()) {
                members.push(member);
            }
        }
    }
    Ok(())
}

/// Returns the function of a short form of CloudFormation: `!Ref x` is `{"Ref": x}`, and `!Sub x` is `{"Fn::Sub": x}`.
fn function_name(tag: &Tag) -> Option<String> {
    if tag.is_yaml_core_schema() || tag.suffix.is_empty() {
        return None;
    }
    Some(match tag.suffix.as_str() {
        name @ ("Ref" | "Condition") => name.to_owned(),
        name => format!("Fn::{name}"),
    })
}

fn scalar<'a>(text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>) -> Value<'a> {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    if style != ScalarStyle::Plain || is_text {
        return Value::String(text);
    }
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Value::Bool(text),
        plain if is_number(plain) => Value::Number(text),
        _ => Value::String(text),
    }
}

/// Whether a plain scalar is an int or a float of the core schema. Infinity and NaN are not numbers in JSON.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(octal) = text.strip_prefix("0o") {
        return !octal.is_empty() && octal.bytes().all(|b| matches!(b, b'0'..=b'7'));
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, true),
    };
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent
}

#[cfg(test)]
mod tests {
    use super::{
        super::{text::position, tree::print},
        *,
    };

    fn parse(text: &str) -> Result<Vec<String>, (String, usize, usize)> {
        let mut documents = YamlDocuments::new(text);
        let mut found = Vec::new();
        loop {
            match documents.next_document() {
                Ok(Some(parsed)) => {
                    let slice = text.get(parsed.slice.range()).unwrap();
                    let again = YamlDocuments::new(slice).next_document().unwrap().unwrap();
                    assert_eq!(print(&again.root), print(&parsed.root), "{slice}");
                    found.push(print(&parsed.root));
                }
                Ok(None) => return Ok(found),
                Err(error) => {
                    let at = position(text, error.span.start);
                    assert!(text.get(error.span.range()).is_some(), "{error:?}");
                    return Err((error.message, at.line, at.column));
                }
            }
        }
    }

    #[test]
    fn reads_documents_by_the_core_schema() {
        let table: &[(&str, &[&str])] = &[
            ("a: 1\nb: [x, 'y', \"z\"]\n", &[r#"{a:1,b:["x","y","z"]}"#]),
            (
                "---\na: 1\n---\nb: 2\n...\n---\n# nothing\n",
                &["{a:1}", "{b:2}"],
            ),
            (
                "[yes, on, True, ~, '', 1e3, .5, 0x1F, 0o17, 012, 1_000, 1.2.3, .inf]",
                &[r#"["yes","on",True,null,"",1e3,.5,0x1F,0o17,012,"1_000","1.2.3",".inf"]"#],
            ),
            (
                "a: |\n  x\n  y\nb: !!str 5\nc:\n",
                &[r#"{a:"x\ny\n",b:"5",c:null}"#],
            ),
            ("{\"a\": [1, 2]}", &["{a:[1,2]}"]),
            (
                "a: &x {b: 1, c: 2}\nd: *x\ne:\n  <<: *x\n  c: 3\n",
                &["{a:{b:1,c:2},d:{b:1,c:2},e:{c:3,b:1}}"],
            ),
            (
                "a: !Ref B\nc: !Sub '${D}'\ne: !GetAtt [F, Arn]\n",
                &[r#"{a:{Ref:"B"},c:{Fn::Sub:"${D}"},e:{Fn::GetAtt:["F","Arn"]}}"#],
            ),
            ("a: <NAME>\nb: ${NAME}\n", &[r#"{a:"<NAME>",b:"${NAME}"}"#]),
            ("", &[]),
            ("# only a comment\n", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).unwrap(), *expected, "{text}");
        }
    }

    #[test]
    fn many_keys_are_merged_without_comparing_all_of_them() {
        let keys: String = (0..150_000).map(|key| format!("k{key}: 1, ")).collect();
        // Work that grows with the square of the input would take minutes.
        let found = parse(&format!("<<: {{{keys}}}\nk7: 2\n")).unwrap();
        assert!(found[0].starts_with("{k7:2,k0:1,") && found[0].ends_with(",k149999:1}"));
    }

    #[test]
    fn spans_are_bytes() {
        let text = "ä: ü\nlist:\n  - näme: 'x'\n    b: 1\nz: end\n";
        let root = YamlDocuments::new(text)
            .next_document()
            .unwrap()
            .unwrap()
            .root;
        let slice = |span: Span| &text[span.range()];
        assert_eq!(slice(root.get("ä").unwrap().span), "ü");
        let list = root.get("list").unwrap();
        let element = &list.elements().unwrap()[0];
        assert_eq!(slice(element.span), "näme: 'x'\n    b: 1");
        assert_eq!(slice(element.member("näme").unwrap().key_span), "näme");
        assert_eq!(slice(element.get("näme").unwrap().span), "'x'");
        assert_eq!(slice(root.get("z").unwrap().span), "end");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                    c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                    e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
        let text = "x\\n".repeat(20_000);
        let text = format!("a: &a \"{text}\"\nb: [{}*a]\n", "*a,".repeat(100));
        let bracket = |depth: usize| format!("&a{depth} [");
        let anchors: String = (0..60).map(bracket).collect();
        let anchors = format!("{anchors}{}1{}", "1,".repeat(50_000), "]".repeat(60));
        let deep = "- ".repeat(1_000) + "x";
        let table: &[(&str, &str, usize, usize)] = &[
            ("a: 1\na: 2\n", "a is given twice in this object", 2, 1),
            ("? [a]\n: 1\n", "a key must be a plain scalar", 1, 3),
            (bomb, "the aliases stand for more than 10000 values", 4, 29),
            (
                &text,
                "the aliases stand for more than 1 MiB of text",
                2,
                83,
            ),
            (
                &anchors,
                "the anchors keep more than 1000000 values",
                1,
                231,
            ),
            (&deep, "nested deeper than 64 levels", 1, 129),
            ("cpu: %CPU%\n", "%CPU% needs quotes", 1, 6),
            (
                "a: 1\n<<: 5\n",
                "<< takes a mapping or a list of mappings",
                2,
                5,
            ),
            (
                "a:\n\tb: 1\n",
                "YAML is indented with spaces, not with tabs",
                2,
                2,
            ),
            (
                "a:\n  b: [1, 2,\n  c]\n",
                "a line inside of brackets needs more indentation than the key before them",
                3,
                3,
            ),
        ];
        for (text, message, line, column) in table {
            let (found, at_line, at_column) = parse(text).unwrap_err();
            let shown = text.get(..40).unwrap_or(text);
            assert_eq!(found, *message, "{shown}");
            assert_eq!((at_line, at_column), (*line, *column), "{shown}");
        }
    }

    #[test]
    fn placeholders_may_stand_bare() {
        assert_eq!(
            parse("cpu: {{cpu}}\nb: 1\n").unwrap(),
            [r#"{cpu:"{{cpu}}",b:1}"#]
        );
    }
}
