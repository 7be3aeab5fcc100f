"""Any key and any data arrive at a key service as they were sent; no bytes confuse it."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from sops_python.keyservice.messages import (
    MalformedMessage,
    parse_answer,
    parse_request,
    render_answer,
    render_request,
)
from sops_python.metadata import KEY_TYPES, MasterKey

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)
filled = texts.filter(bool)


@st.composite
def master_keys(draw):
    kind = draw(st.sampled_from(list(KEY_TYPES.values())))
    fields = {name: draw(texts) for name in kind.names}
    for name in kind.optional:
        if draw(st.booleans()):
            pairs = st.dictionaries(texts, texts, min_size=1)
            fields[name] = draw(pairs if name == "context" else filled)
    return MasterKey(kind.section, fields)


@given(master_keys(), st.binary(max_size=1000))
def test_a_request_arrives_as_it_was_sent(key, data):
    request = parse_request(render_request(key, data))
    assert (request.key, request.data) == (key, data)
    assert parse_answer(render_answer(data)) == data


@given(st.binary() | st.builds(lambda key, cut: render_request(key, b"x" * 9)[cut:], master_keys(),
                               st.integers(0, 40)))  # fmt: skip
def test_any_bytes_are_a_message_or_told_to_be_none(message):
    for parse in (parse_request, parse_answer):
        with suppress(MalformedMessage):
            parse(message)
