/* report_eval.js - the page of `residua eval --report`.
 *
 * SPDX-License-Identifier: MIT
 */

/* ---- pictures: a slider between two of them, their difference, zoom ---- */

/* Seconds below a spectrogram; they are part of what scrolls. */
function ruler(sound) {
    return make("div", {class: "ruler"}, ticks(sound.start_s, sound.start_s + sound.seconds, 8).map(t => ({t, at: (t - sound.start_s) / sound.seconds}))
        .filter(tick => tick.at > 0.02 && tick.at < 0.97).map(tick => make("span", {style: `left: ${100 * tick.at}%`}, tick.t + " s")));
}
/* Frequencies at its left, which stay when it scrolls. */
function bands(sound) {
    const top = sound.nyquist_hz / 1000;
    return make("div", {class: "bands"}, ticks(0, top, 5).filter(f => f > 0 && f < 0.97 * top)
        .map(f => make("span", {style: `bottom: ${100 * f / top}%`}, f + " kHz")));
}

/* view: {left, right, difference, leftName, rightName, differenceName, kind: "sound" | "pixels", width and height, or sound} */
function viewer(view) {
    const over = make("img", {class: "over", src: view.right, alt: view.rightName});
    const base = make("img", {src: view.left, alt: view.leftName});
    const edge = make("div", {class: "edge"});
    const heads = [make("div", {class: "head", hidden: true}), make("div", {class: "head", hidden: true})];
    const layers = make("div", {class: "layers " + view.kind}, base, over, edge, heads[0], view.sound ? ruler(view.sound) : null);
    const lower = make("div", {class: "layers " + view.kind}, make("img", {src: view.difference, alt: view.differenceName}), heads[1], view.sound ? ruler(view.sound) : null);
    const stages = [make("div", {class: "stage " + view.kind}, layers), make("div", {class: "stage " + view.kind}, lower)];
    const frame = stage => make("div", {class: "framed"}, stage, view.sound ? bands(view.sound) : null);
    const slider = make("input", {type: "range", class: "wipe", min: 0, max: 100, step: 0.5, value: 50, "aria-label":
                                  "how much of the original is shown", oninput: wipe});
    const zoom = make("input", {type: "range", class: "zoom", min: 0, max: 4, step: 0.25, value: 0, "aria-label": "zoom", oninput: scale});
    function wipe() {
        over.style.clipPath = "inset(0 0 0 " + slider.value + "%)";
        edge.style.left = slider.value + "%";
    }
    function scale() {
        const factor = 2 ** +zoom.value, parent = stages[0].closest(".views");
        const room = parent && parent.clientWidth ? parent.clientWidth - 18 : view.width; /* without the frame and a scroll bar */
        const width = Math.min(view.width, room) * factor;
        for (const l of [layers, lower]) {
            l.style.width = view.kind === "pixels" ? width + "px" : factor * 100 + "%";
            l.parentElement.classList.toggle("tall", view.kind === "pixels" && view.height * width / view.width > 0.78 * innerHeight);
            l.classList.toggle("large", width >= view.width); /* a smaller one is better blurred than with pixels left out */
        }
    }
    /* both windows look at the same place; dragging in the upper one moves the edge */
    for (const [a, b] of [[0, 1], [1, 0]])
        stages[a].addEventListener("scroll", () => { stages[b].scrollLeft = stages[a].scrollLeft; stages[b].scrollTop = stages[a].scrollTop; });
    layers.addEventListener("pointermove", e => {
        if (!(e.buttons & 1)) return;
        const box = layers.getBoundingClientRect();
        slider.value = 100 * (e.clientX - box.left) / box.width;
        wipe();
    });
    for (const image of [base, over]) image.draggable = false;
    wipe();
    scale();
    requestAnimationFrame(scale);
    return {
        nodes: [make("div", {class: "controls"}, make("label", {}, view.leftName, slider, view.rightName), make("label", {}, "zoom", zoom)),
                make("div", {class: "views " + view.kind}, make("div", {}, make("div", {class: "tag"}, view.leftName + " | " + view.rightName), frame(stages[0])),
                    make("div", {}, make("div", {class: "tag"}, view.differenceName), frame(stages[1])))],
        playhead(share) {
            for (const head of heads) { head.hidden = false; head.style.left = 100 * share + "%"; }
        }
    };
}

/* ---- the page ---- */

let openPlayer = null;

function detailOf(pair) {
    if (openPlayer) openPlayer.stop();
    openPlayer = null;
    if (pair.error) return [make("p", {class: "failed"}, pair.error)];
    if (pair.sound) {
        const s = pair.sound;
        const view = viewer({left: s.ref, right: s.dist, difference: s.difference, kind: "sound", sound: s, leftName: "original", rightName: "decoded",
                             differenceName: "difference: blue is missing, red was added, 30 dB at most"});
        openPlayer = player(s, view.playhead);
        return [make("p", {class: "soft"}, (s.seconds < pair.samples / pair.rate_hz - 0.01
                    ? s.seconds.toFixed(1) + " s from " + s.start_s.toFixed(1) + " s on, where the error is largest; " : "") +
                    "first channel, 0 to " + s.nyquist_hz / 1000 + " kHz, 90 dB below " + s.top_db + " dBFS"),
                openPlayer, ...view.nodes];
    }
    if (pair.picture) {
        const p = pair.picture, cut = p.cut_width < pair.width || p.cut_height < pair.height;
        const view = viewer({left: p.ref, right: p.dist, difference: p.difference, kind: "pixels", width: p.cut_width, height: p.cut_height, leftName: "original",
                             rightName: "decoded", differenceName: `colour difference of each pixel (CIEDE2000; 1 is just noticeable), ${p.most} at most`});
        return [make("p", {class: "soft"}, `${pair.width} \u00d7 ${pair.height} pixels` +
                    (cut ? `; shown are ${p.cut_width} \u00d7 ${p.cut_height} from column ${p.column}, row ${p.row} on, where the error is largest` : "") +
                    (pair.alpha_l1 === null ? "" : "; alpha is laid on grey")),
                ...view.nodes, scaleBar(p.top)];
    }
    return [make("p", {class: "soft"}, "Pictures and players are kept for the worst pairs only; --report-details N keeps more.")];
}

/* The colours of an error map and what they mean. */
function scaleBar(top) {
    const stops = data.heat.map((c, i) => `${c} ${(100 * i / (data.heat.length - 1)).toFixed(1)}%`).join(", ");
    return make("div", {class: "scale"}, "0", make("span", {style: `background: linear-gradient(to right, ${stops})`}), top + " and more");
}

function valuesOf(part, pair) {
    if (pair.error) return null;
    const several = pair.channels > 1, head = ["metric", "value"], colours = ["red", "green", "blue"];
    if (several) for (let c = 1; c <= pair.channels && c <= 16; c++) head.push(part.kind === "image" ? colours[c - 1] : "channel " + c);
    return make("div", {class: "scroll"}, make("table", {class: "values"}, make("thead", {}, make("tr", {}, head.map(h => make("th", {}, h)))),
        make("tbody", {}, part.metrics.map((m, i) => {
            const entry = pair.metrics[m.name];
            return make("tr", {title: m.summary}, make("td", {}, withUnit(m)),
                make("td", {}, pair.texts[i] + (entry.flag && entry.flag !== "not applicable" ? " " + entry.flag : "")),
                head.slice(2).map((_, c) => make("td", {}, entry.channels ? show(entry.channels[c], m.digits) : "")));
        }))));
}

/* Bars for the distribution, dots for single pairs. */
function histogram(part, m, choose, w) {
    const metric = part.metrics[m], points = part.pairs.map(pair => ({pair, x: numberOf(part, pair, m)})).filter(p => Number.isFinite(p.x));
    const h = 210, left = 10, bottom = 40, strip = 26;
    if (!points.length) return make("p", {class: "soft"}, "There is no finite value.");
    let low = Math.min(...points.map(p => p.x)), high = Math.max(...points.map(p => p.x));
    if (low === high) { low -= 0.5; high += 0.5; }
    const n = Math.max(5, Math.min(24, Math.ceil(Math.sqrt(points.length) * 1.5))), counts = Array(n).fill(0);
    const x = v => left + (w - 2 * left) * (v - low) / (high - low);
    for (const p of points) counts[Math.min(n - 1, Math.floor((p.x - low) / (high - low) * n))]++;
    const most = Math.max(...counts), tall = h - bottom - strip - 10, base = h - bottom - strip;
    const svg = make("svg", {viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": "distribution of " + metric.title});
    counts.forEach((count, i) => {
        const from = low + (high - low) * i / n, to = low + (high - low) * (i + 1) / n;
        svg.append(tipped(make("rect", {class: "bar", x: x(from) + 0.5, width: Math.max(1, x(to) - x(from) - 1), y: base - tall * count / most,
                                        height: tall * count / most}), `${from.toFixed(metric.digits)} to ${to.toFixed(metric.digits)}: ${count}`));
    });
    points.forEach((p, i) => svg.append(tipped(make("circle", {class: "dot", cx: x(p.x), cy: base + 7 + i * 7 % strip * 0.7, r: 4,
        onclick: () => choose(p.pair)}), p.pair.name + "\n" + p.x.toFixed(metric.digits) + " " + metric.unit)));
    const mean = part.means[m];
    if (mean.n) svg.append(tipped(make("line", {class: "mean", x1: x(mean.mean), x2: x(mean.mean), y1: base - tall, y2: base}), "mean " + show(mean.mean, metric.digits)));
    svg.append(make("line", {class: "axis", x1: left, x2: w - left, y1: h - bottom, y2: h - bottom}));
    for (const t of ticks(low, high, Math.min(6, w / 60))) svg.append(make("text", {x: x(t), y: h - bottom + 17, "text-anchor": "middle"}, String(t)));
    svg.append(make("text", {x: w / 2, y: h - 3, "text-anchor": "middle"}, withUnit(metric) + " (better: " + metric.better + ")"));
    return svg;
}

function median(list) {
    const s = [...list].sort((a, b) => a - b), k = s.length >> 1;
    return s.length ? s.length % 2 ? s[k] : (s[k - 1] + s[k]) / 2 : null;
}

/* Everything about the pairs of one kind. */
function partOf(part) {
    const distribution = make("div"), detail = make("section", {class: "card", id: "detail"});
    const picker = make("select", {id: "metric", "aria-label": "metric", onchange: () => pick(+picker.value)},
                        part.metrics.map((m, i) => make("option", {value: i}, withUnit(m))));
    const worstFirst = m => part.metrics[m].better !== "higher";
    let chosen = null;

    function choose(pair, scroll) {
        chosen = pair;
        detail.replaceChildren(make("h2", {}, pair.name), ...detailOf(pair), valuesOf(part, pair) || "");
        for (const row of table.querySelectorAll("tbody tr")) row.classList.toggle("chosen", row.pair === pair);
        if (scroll) detail.scrollIntoView({block: "nearest"});
    }
    function pick(m) {
        picker.value = m;
        distribution.replaceChildren(fitted(400, w => histogram(part, m, p => choose(p, true), w)));
        table.sortBy(m + 1, worstFirst(m));
    }
    const magnitude = (m, v) => part.metrics[m].better === "near 0" ? Math.abs(v) : v;
    const columns = [{title: "name", value: p => p.name}].concat(part.metrics.map((m, i) => (
        {title: withUnit(m), tip: m.summary + "; better: " + m.better, value: p => magnitude(i, numberOf(part, p, i)), descending: worstFirst(i)})));
    const row = pair => {
        const node = make("tr", {class: "can" + (pair === chosen ? " chosen" : ""), tabindex: 0, onclick: () => choose(pair, true),
                                 onkeydown: e => { if (e.key === "Enter") choose(pair, true); }},
            make("td", {}, pair.name), pair.error ? make("td", {class: "failed", colspan: part.metrics.length}, pair.error)
                                                  : pair.texts.map(t => make("td", {}, t)));
        node.pair = pair;
        return node;
    };
    const table = sortable("pairs", columns, part.pairs, {row, column: part.rank + 1, descending: worstFirst(part.rank)});
    const summary = make("table", {id: "summary"}, make("thead", {}, make("tr", {},
        ["metric", "mean", "\u00b1 95 %", "median", "least", "most", "better"].map(h => make("th", {scope: "col"}, h)))),
        make("tbody", {}, part.metrics.map((m, i) => {
            const list = part.pairs.map(p => numberOf(part, p, i)).filter(Number.isFinite);
            return make("tr", {class: "can", title: m.summary, onclick: () => pick(i)}, make("td", {}, withUnit(m)),
                make("td", {}, show(part.means[i].mean, m.digits)), make("td", {}, show(part.means[i].half_width_95, m.digits)),
                make("td", {}, show(median(list), m.digits)), make("td", {}, show(list.length ? Math.min(...list) : null, m.digits)),
                make("td", {}, show(list.length ? Math.max(...list) : null, m.digits)), make("td", {}, m.better));
        })));
    pick(part.rank);
    const first = table.querySelector("tbody tr");
    if (first) choose(first.pair, false);
    return [make("div", {class: "pair"}, card("Summary", make("div", {class: "scroll"}, summary)), card("Distribution", picker, distribution)),
            card("Every pair", make("p", {class: "soft"}, "Worst first. A column's title sorts by it, a row opens below. Values in brackets are conventions (silence, too short, too small, identical)."),
                 make("div", {class: "scroll"}, table)),
            detail];
}

function evalPage() {
    const pairs = data.parts.flatMap(part => part.pairs), failed = pairs.filter(p => p.error).length, body = make("div");
    const tabs = make("div", {class: "legend", id: "parts"}, data.parts.map((part, i) =>
        make("button", {onclick: () => open(i)}, part.pairs.length + " " + part.things)));
    function open(i) {
        if (openPlayer) openPlayer.stop();
        [...tabs.children].forEach((tab, k) => tab.setAttribute("aria-pressed", String(k === i)));
        body.replaceChildren(...partOf(data.parts[i]));
    }
    main.append(make("header", {}, make("div", {}, make("h1", {}, "How far is it from the original?"),
        make("div", {class: "soft"}, data.dist + " against " + data.ref + (data.shard ? ", part " + data.shard : "") + ": " + pairs.length + (pairs.length === 1 ? " pair" : " pairs") +
             (failed ? ", " + failed + " failed" : "") + " \u00b7 residua " + data.version)), themeButton()),
        data.parts.length > 1 ? tabs : "", body);
    open(0);
}

evalPage();
