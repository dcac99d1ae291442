from cloudburst.graph.expr import make
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Method, Stored
from cloudburst.report.notebook import card_html


def test_a_card_escapes_everything():
    leaf = make(Stored(None, b"x", "<i>stored</i>"))
    card = card_html("<b>title</b> & more", Graph.of((leaf,)))
    assert "&lt;b&gt;title&lt;/b&gt; &amp; more" in card
    assert "<i>" not in card
    assert "1 given value" in card


def test_a_card_says_what_it_is_made_of():
    import cloudburst as cb

    @cb.stage
    def load():
        return 1

    card = card_html("x", Graph.of((make(Method("head"), (load()._expr,)),)))
    assert "1 stage call: load" in card
    assert "1 op" in card
    assert "<script" not in card
