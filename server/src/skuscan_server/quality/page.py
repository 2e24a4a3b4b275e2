"""Reports as pages to look at: one HTML file each, the pictures inside it, nothing fetched from anywhere."""

import base64
import html
from collections.abc import Callable, Sequence

from skuscan_server.quality.report import JudgedReference, LookAlike, PictureOf, Summary

ReadPicture = Callable[[bytes], bytes | None]  # SHA-256 of a reference picture -> its display picture, WebP

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:64em;padding:0 1em}}
article{{display:flex;gap:1.5em;padding:1em 0;border-top:1px solid #ccc}}figure{{margin:0;width:240px;flex:none}}
img{{max-width:240px;max-height:240px;display:block;border:1px solid #ddd}}figcaption,small{{color:#555}}
b.poor{{color:#b00020}}b.fair{{color:#8a5a00}}b.good{{color:#1b6e20}}ul{{padding-left:1.2em;margin:.4em 0}}
table{{border-spacing:0}}td{{padding:0 1em 0 0}}meter{{width:8em}}</style>
<h1>{title}</h1><p>{lead}</p>{body}</html>
"""


def quality_page(summary: Summary, read: ReadPicture) -> str:
    """The page of the worst pictures, each with its scores and what to do."""
    counts = ", ".join(f"{number} {grade.value}" for grade, number in summary.grades.items())
    lead = f"Pictures: {counts}, {summary.unmeasured} not measured yet. Shown: the {len(summary.worst)} worst."
    return _page("Quality of the reference pictures", lead, [_judged(item, read) for item in summary.worst])


def look_alike_page(pairs: Sequence[LookAlike], read: ReadPicture) -> str:
    """The page of look-alikes, side by side, the most alike first."""
    lead = f"The {len(pairs)} pairs of products whose pictures are most alike."
    return _page("Products that look alike", lead, [_pair(pair, read) for pair in pairs])


def _page(title: str, lead: str, articles: Sequence[str]) -> str:
    return _PAGE.format(title=html.escape(title), lead=html.escape(lead), body="\n".join(articles))


def _judged(item: JudgedReference, read: ReadPicture) -> str:
    judgement = item.judgement
    assert judgement is not None  # what is not measured is not among the worst
    rows = "".join(
        f'<tr><td>{aspect.value}</td><td><meter max="100" value="{score}"></meter></td><td>{score}</td></tr>'
        for aspect, score in judgement.aspects.items()
    )
    advice = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in judgement.advice)
    said = f"<b class={judgement.grade.value}>{judgement.score} {judgement.grade.value}</b><ul>{advice}</ul>"
    return f"<article>{_figure(item.picture, read)}<div>{said}<table>{rows}</table></div></article>"


def _pair(pair: LookAlike, read: ReadPicture) -> str:
    said = f"<b>similarity {pair.similarity:.3f}</b><p>{html.escape(pair.advice)}</p><small>{_on_devices(pair)}</small>"
    return f"<article>{_figure(pair.a, read)}{_figure(pair.b, read)}<div>{said}</div></article>"


def _on_devices(pair: LookAlike) -> str:
    if pair.margin is None:
        return "Not published yet."
    if pair.margin == 0:
        return "On devices the model's own margin holds between the two."
    return f"On devices one of the two must be ahead by {pair.margin:.2f}."


def _figure(picture: PictureOf, read: ReadPicture) -> str:
    data = read(picture.sha256)
    image = f'<img src="data:image/webp;base64,{base64.b64encode(data).decode()}" alt="">' if data else ""
    caption = f"<b>{html.escape(picture.sku)}</b><br>{html.escape(picture.name)}<br>{html.escape(picture.source_name)}"
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
