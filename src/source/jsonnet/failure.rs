//! Why a file cannot be evaluated.

use std::collections::BTreeSet;

use rsjsonnet_lang::{
    lexer::LexError,
    parser::ParseError,
    program::{AnalyzeError, EvalError, EvalErrorKind, EvalStackTraceItem, LoadError},
    span::SpanId,
};

use super::{super::text::Span, Asked};

/// Why a file cannot be evaluated, and where that is in it: at its start if it is in another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) span: Span,
    pub(super) message: String,
    /// The names by which `--set` gives what the file asked for until then.
    pub(super) names: BTreeSet<String>,
}

impl Failure {
    /// Returns a failure of the file as a whole.
    pub(super) fn whole(message: String) -> Self {
        Self::of_file(None, message)
    }

    /// Returns a failure of a file that is imported.
    pub(super) fn of_file(file: Option<String>, message: String) -> Self {
        Self {
            span: Span::default(),
            message: match file {
                Some(file) => format!("{file}: {message}"),
                None => message,
            },
            names: BTreeSet::new(),
        }
    }

    /// Adds the names of the values that are not given: the failure may be only that they are texts.
    pub(super) fn with_open(mut self, asked: &Asked) -> Self {
        self.names = asked.names.clone();
        if !asked.open.is_empty() {
            let names: Vec<&str> = asked.open.iter().map(|(name, _)| &**name).collect();
            let names = names.join(", ");
            self.message = format!(
                "{}; placeholders stand for values that are not given: give each with --set NAME=VALUE: {names}",
                self.message
            );
        }
        self
    }
}

/// What the crate says, with the places that it names, the nearest first.
#[derive(Debug)]
pub(super) struct Reason {
    pub(super) message: String,
    pub(super) spans: Vec<SpanId>,
}

impl Reason {
    /// Returns why a text is no Jsonnet.
    pub(super) fn of_source(error: &LoadError) -> Self {
        let (message, span) = match error {
            LoadError::Lex(error) => (in_words(error), of_text(error)),
            LoadError::Parse(ParseError::Expected { span, instead, .. }) => {
                (format!("unexpected {}", in_words(instead)), *span)
            }
            LoadError::Analyze(error) => of_names(error),
        };
        Self {
            message,
            spans: vec![span],
        }
    }

    /// Returns why an evaluation failed.
    pub(super) fn of_evaluation(error: &EvalError) -> Self {
        let mut spans: Vec<SpanId> = of_kind(&error.kind).into_iter().collect();
        let stack = error.stack_trace.iter().rev();
        spans.extend(stack.filter_map(of_item));
        Self {
            message: message(&error.kind),
            spans,
        }
    }
}

/// Returns the message of a failed evaluation: the program's own, or what the crate calls it.
fn message(kind: &EvalErrorKind) -> String {
    match kind {
        EvalErrorKind::ExplicitError { message, .. } | EvalErrorKind::Other { message, .. } => {
            message.clone()
        }
        EvalErrorKind::AssertFailed { message, .. } => {
            let message = message.as_deref();
            format!("an assertion failed: {}", message.unwrap_or("it has no message"))
        }
        EvalErrorKind::UnknownObjectField { field_name, .. } => {
            format!("there is no field {field_name}")
        }
        EvalErrorKind::UnknownExtVar { name } => {
            format!("the variable {name} is not known: name it as a text in std.extVar")
        }
        EvalErrorKind::CalleeIsNotFunction { .. } => {
            "what is called is no function; std.native has env, must_env, and those of ecspresso's plugins".to_owned()
        }
        EvalErrorKind::ManifestFunction => {
            "the result has a function, which is no value: it needs its arguments".to_owned()
        }
        EvalErrorKind::StackOverflow | EvalErrorKind::InfiniteRecursion => {
            "functions call each other too often".to_owned()
        }
        kind => in_words(kind),
    }
}

/// Returns the name of a variant as words: `DivByZero` is `div by zero`.
fn in_words(variant: &impl std::fmt::Debug) -> String {
    let text = format!("{variant:?}");
    let (name, rest) = match text.find(|c: char| !c.is_ascii_alphanumeric()) {
        Some(end) => text.split_at(end),
        None => (&*text, ""),
    };
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    // What a variant holds is said if it is one thing.
    match rest
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(held) => format!("{words} {held}"),
        None => words,
    }
}

fn of_text(error: &LexError) -> SpanId {
    match error {
        LexError::InvalidChar { span, .. }
        | LexError::InvalidUtf8 { span, .. }
        | LexError::UnfinishedMultilineComment { span }
        | LexError::LeadingZeroInNumber { span }
        | LexError::MissingFracDigits { span }
        | LexError::MissingExpDigits { span }
        | LexError::MissingDigitAfterUnderscore { span }
        | LexError::ExpOverflow { span }
        | LexError::InvalidEscapeInString { span, .. }
        | LexError::IncompleteUnicodeEscape { span }
        | LexError::InvalidUtf16EscapeSequence { span, .. }
        | LexError::UnfinishedString { span }
        | LexError::MissingLineBreakAfterTextBlockStart { span }
        | LexError::MissingWhitespaceTextBlockStart { span }
        | LexError::InvalidTextBlockTermination { span } => *span,
    }
}

fn of_names(error: &AnalyzeError) -> (String, SpanId) {
    match error {
        AnalyzeError::UnknownVariable { span, name } => {
            (format!("the variable {name} is not known"), *span)
        }
        AnalyzeError::SelfOutsideObject { self_span: span }
        | AnalyzeError::SuperOutsideObject { super_span: span }
        | AnalyzeError::DollarOutsideObject { dollar_span: span }
        | AnalyzeError::PositionalArgAfterNamed { arg_span: span }
        | AnalyzeError::TextBlockAsImportPath { span }
        | AnalyzeError::ComputedImportPath { span } => (in_words(error), *span),
        AnalyzeError::RepeatedLocalName {
            repeated_span: span,
            name,
            ..
        }
        | AnalyzeError::RepeatedFieldName {
            repeated_span: span,
            name,
            ..
        }
        | AnalyzeError::RepeatedParamName {
            repeated_span: span,
            name,
            ..
        } => (format!("{name} is there twice"), *span),
    }
}

/// Returns the place of a failure, if its kind has one.
fn of_kind(kind: &EvalErrorKind) -> Option<SpanId> {
    match kind {
        EvalErrorKind::InvalidIndexedType { span, .. }
        | EvalErrorKind::UnknownObjectField { span, .. }
        | EvalErrorKind::FieldOfNonObject { span }
        | EvalErrorKind::CondIsNotBool { span, .. }
        | EvalErrorKind::InvalidUnaryOpType { span, .. }
        | EvalErrorKind::AssertFailed { span, .. }
        | EvalErrorKind::ExplicitError { span, .. }
        | EvalErrorKind::ImportFailed { span, .. } => Some(*span),
        EvalErrorKind::CalleeIsNotFunction { span, .. }
        | EvalErrorKind::InvalidBinaryOpTypes { span, .. }
        | EvalErrorKind::CallParamNotBound { span, .. }
        | EvalErrorKind::TooManyCallArgs { span, .. }
        | EvalErrorKind::DivByZero { span }
        | EvalErrorKind::Other { span, .. } => *span,
        _ => None,
    }
}

/// Returns the place of a step that led to a failure.
fn of_item(item: &EvalStackTraceItem) -> Option<SpanId> {
    match item {
        EvalStackTraceItem::Expr { span }
        | EvalStackTraceItem::Variable { span, .. }
        | EvalStackTraceItem::Import { span } => Some(*span),
        EvalStackTraceItem::Call { span, .. }
        | EvalStackTraceItem::ArrayItem { span, .. }
        | EvalStackTraceItem::ObjectField { span, .. } => *span,
        _ => None,
    }
}
