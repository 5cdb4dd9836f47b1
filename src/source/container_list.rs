//! The container definitions of a task definition, before they are read: some tools keep them as a JSON text, and others
//! fill in the images when they deploy.

use std::collections::BTreeMap;

use super::{
    envelope::set,
    json::JsonDocuments,
    kind::Spelling,
    placeholder::{Fill, filled},
    spelling::value_of,
    text::Span,
    tree::{Member, Node, Value},
};

/// Images by the names of their containers (`--image CONTAINER=IMAGE`).
pub type Images = BTreeMap<String, String>;

const LIST: &str = "containerDefinitions";

/// Replaces a JSON text by the list in it, as ECS itself has it in no request, but many templates do. Everything in the
/// list has the position of the text. A text that is no list stays, and is rejected where a list is expected.
pub(super) fn read_text(body: &mut Node<'_>, spelling: Spelling) {
    let Some(list) = list_mut(body, spelling) else {
        return;
    };
    let Value::String(text) = &list.value else {
        return;
    };
    let document = JsonDocuments::new(text).next_document();
    if let Ok(Some(document)) = document
        && document.root.elements().is_some()
    {
        let mut root = document.root.into_owned();
        place(&mut root, list.span);
        list.value = root.value;
    }
}

/// Gives containers their images.
pub(super) fn set_images(body: &mut Node<'_>, spelling: Spelling, images: &Images, fill: &Fill) {
    if images.is_empty() {
        return;
    }
    let list = list_mut(body, spelling);
    let Some(Value::List(containers)) = list.map(|it| &mut it.value) else {
        return;
    };
    for container in containers {
        let name = value_of(container, "name", spelling).and_then(Node::text);
        let name = name.map(|name| filled(name.into(), fill));
        if let Some(image) = name.and_then(|name| images.get(&*name)) {
            set(container, "image", Value::String(image.clone().into()));
        }
    }
}

fn list_mut<'n, 'a>(body: &'n mut Node<'a>, spelling: Spelling) -> Option<&'n mut Node<'a>> {
    let Value::Object(members) = &mut body.value else {
        return None;
    };
    let is_list = |member: &&mut Member<'_>| match spelling {
        Spelling::Api => member.key == LIST,
        Spelling::CloudFormation => member.key.eq_ignore_ascii_case(LIST),
    };
    members.iter_mut().find(is_list).map(|it| &mut it.value)
}

/// Sets the position of everything in a tree. The parser limits its depth.
fn place(node: &mut Node<'_>, span: Span) {
    node.span = span;
    match &mut node.value {
        Value::List(elements) => elements.iter_mut().for_each(|it| place(it, span)),
        Value::Object(members) => {
            for member in members {
                member.key_span = span;
                place(&mut member.value, span);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{syntax::parse_one, tree::print},
        *,
    };

    fn prepared(text: &str, spelling: Spelling) -> String {
        let images = Images::from([("web".to_owned(), "web:2".to_owned())]);
        let mut body = parse_one("t.json", text).unwrap().unwrap();
        read_text(&mut body, spelling);
        let fill = Fill::from([("NAME".to_owned(), "web".to_owned())]);
        set_images(&mut body, spelling, &images, &fill);
        print(&body)
    }

    #[test]
    fn texts_are_lists_and_images_are_given() {
        let api = Spelling::Api;
        let cloud_formation = Spelling::CloudFormation;
        for (spelling, text, expected) in [
            (
                api,
                r#"{"containerDefinitions":"[{\"name\":\"web\"},{\"name\":\"b\",\"image\":\"b:1\"}]"}"#,
                r#"{containerDefinitions:[{image:"web:2",name:"web"},{name:"b",image:"b:1"}]}"#,
            ),
            (
                api,
                r#"{"containerDefinitions":[{"name":"web","image":""}]}"#,
                r#"{containerDefinitions:[{image:"web:2",name:"web"}]}"#,
            ),
            (
                cloud_formation,
                r#"{"ContainerDefinitions":[{"Name":"web","Image":"<IMAGE1_NAME>"}]}"#,
                r#"{ContainerDefinitions:[{image:"web:2",Name:"web"}]}"#,
            ),
            (
                api,
                r#"{"containerDefinitions":"{}"}"#,
                r#"{containerDefinitions:"{}"}"#,
            ),
            (
                api,
                r#"{"containerDefinitions":"[{"}"#,
                r#"{containerDefinitions:"[{"}"#,
            ),
            (
                api,
                r#"{"containerDefinitions":[1]}"#,
                r"{containerDefinitions:[1]}",
            ),
            (
                api,
                r#"{"containerDefinitions":[{"name":"${NAME}"}]}"#,
                r#"{containerDefinitions:[{image:"web:2",name:"${NAME}"}]}"#,
            ),
            (api, r#"{"family":"a"}"#, r#"{family:"a"}"#),
            (api, "[]", "[]"),
        ] {
            assert_eq!(prepared(text, spelling), expected);
        }
    }
}
