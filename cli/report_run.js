/* report_run.js - the page of `residua report`: curves over steps, codebooks, samples.
 *
 * What the reader has set (smoothing, scale, hidden runs, open tabs) stands behind the '#' of the address, so that it outlives
 * the page's loading itself anew while a run is at work.
 *
 * SPDX-License-Identifier: MIT
 */

/* ---- what was chosen ---- */

const state = Object.assign({smooth: 0.6, log: false, hidden: [], run: 0, clip: 1, rate: 0, step: null}, readState());

function readState() {
    try { return JSON.parse(decodeURIComponent(location.hash.slice(1))); } catch { return {}; }
}
function keepState() {
    try { history.replaceState(null, "", "#" + encodeURIComponent(JSON.stringify(state))); } catch { /* a page without an address */ }
}

/* ---- series ---- */

/* Runs are called by what their paths do not have in common. */
const common = data.runs.map(run => run.name.replace(/(.)\/+$/, "$1").split("/").slice(0, -1)).reduce((a, b) => a.slice(0, a.findIndex((part, i) => part !== b[i]) < 0 ? a.length : a.findIndex((part, i) => part !== b[i])));
for (const run of data.runs) {
    let steps = [];
    run.path = run.name.replace(/(.)\/+$/, "$1");
    run.name = run.path.split("/").slice(common.length).join("/");
    run.byName = new Map();
    for (const s of run.series) {
        if (s.steps) steps = s.steps;
        run.byName.set(s.name, {name: s.name, steps, values: s.values});
    }
}

const TITLES = {
    "valid.score": "validation: score, lower is better", commitment: "commitment loss", grad_norm: "gradient's norm, before clipping",
    loss: "what is minimised: bits per pixel and weighted error", bpp: "bits per pixel", z_bpp: "bits per pixel of z, the values behind the prior",
    psnr_db: "PSNR, dB", term: "losses", max_activation: "largest activation of the prior (its integer form clamps at 128)",
    "valid.integer_gap": "validation: bits with the integer prior over those with floats, less 1",
    lr: "learning rate", stages: "quantiser stages", quantizer_error: "quantiser: energy lost over energy",
    audio_per_s: "seconds of audio trained on per second", crops_per_s: "crops trained on per second",
    "critics.loss": "critics' loss", "critics.grad_norm": "critics' gradient's norm",
    "critics.lr": "critics' learning rate",
    "critics.real_logit": "critics' verdict on what is real", "critics.fake_logit": "critics' verdict on what is made", "critics.updates": "critics' updates per line", scale: "scale of half-precision gradients"
};
function titleOf(name) {
    if (TITLES[name]) return TITLES[name];
    const rate = name.match(/^valid\.mel_distance\.(\d+)$/);
    if (rate) return "validation: mel distance at " + rate[1] / 1000 + " kbit/s";
    return name.replace(/^valid\.loss\./, "validation loss: ").replace(/^(loss|term)\./, "loss: ").replaceAll(".", " ");
}

/* Moving average that forgets by `weight` per point and is not drawn to 0 at the start. */
function smoothed(values, weight) {
    let sum = 0, count = 0;
    return values.map(v => {
        if (v === null) return null;
        sum = weight * sum + v;
        count = weight * count + 1;
        return sum / count;
    });
}

/* ---- one picture ---- */

const MARKED = 40; /* the points of so short a line are marked */

/* lines: {label, colour, steps, values}. Draws them as they are, pale, and smoothed. */
function plot(lines, options) {
    return fitted(560, w => plotAs(lines, options, w));
}
function plotAs(lines, options, w) {
    const h = 250, left = 62, right = 24, top = 10, bottom = 34;
    const smooth = options.plain ? 0 : +state.smooth;
    const shown = lines.map(line => ({...line, soft: smoothed(line.values, smooth)}));
    const logScale = state.log && !options.linear;
    const usable = v => v !== null && (!logScale || v > 0);
    let from = Infinity, to = -Infinity, least = Infinity, most = -Infinity;
    for (const line of shown) {
        from = Math.min(from, line.steps[0]);
        to = Math.max(to, line.steps[line.steps.length - 1]);
        for (const v of line.soft) if (usable(v)) { least = Math.min(least, v); most = Math.max(most, v); }
        /* outliers of the raw curve do not flatten the picture */
        const raw = line.values.filter(usable).sort((a, b) => a - b);
        if (raw.length) { least = Math.min(least, raw[Math.floor(raw.length * 0.01)]); most = Math.max(most, raw[Math.ceil(raw.length * 0.99) - 1]); }
    }
    if (!(most >= least)) return make("p", {class: "soft"}, "There is nothing to show.");
    if (from === to) { from -= 1; to += 1; }
    const f = logScale ? Math.log10 : v => v;
    let low = f(least), high = f(most);
    const margin = (high - low) * 0.07 || Math.abs(high) * 0.05 || 0.5;
    low -= margin; high += margin;
    const x = s => left + (w - left - right) * (s - from) / (to - from), y = v => h - bottom - (h - top - bottom) * (f(v) - low) / (high - low);
    const inside = v => Math.max(top, Math.min(h - bottom, y(v))).toFixed(1);
    const svg = make("svg", {viewBox: `0 0 ${w} ${h}`, role: "img", class: "plot", "aria-label": options.title});
    for (const t of ticks(low, high, 5)) {
        const at = h - bottom - (h - top - bottom) * (t - low) / (high - low);
        if (at > h - bottom - 4) continue; /* its number would touch those below */
        svg.append(make("line", {class: "axis", x1: left, x2: w - right, y1: at, y2: at}),
                   make("text", {x: left - 6, y: at + 4, "text-anchor": "end"}, String(+(logScale ? 10 ** t : t).toPrecision(4))));
    }
    for (const t of ticks(from, to, w / 85)) svg.append(make("text", {x: x(t), y: h - bottom + 16, "text-anchor": "middle"}, String(t)));
    svg.append(make("text", {x: left - 28, y: h - bottom + 16, "text-anchor": "end"}, options.place || "step"));
    const events = (options.events || []).filter(e => e.step >= from && e.step <= to);
    for (const e of events)
        svg.append(make("line", {class: "event " + e.type, x1: x(e.step), x2: x(e.step), y1: top, y2: h - bottom}));
    const path = (steps, values) => {
        const parts = [];
        let pen = "M";
        values.forEach((v, i) => {
            if (!usable(v)) { pen = "M"; return; }
            parts.push(pen + x(steps[i]).toFixed(1) + "," + inside(v));
            pen = "L";
        });
        return parts.join("");
    };
    for (const line of shown) {
        if (smooth > 0) svg.append(make("path", {class: "raw", d: path(line.steps, line.values), stroke: line.colour}));
        svg.append(make("path", {class: "curve", d: path(line.steps, line.soft), stroke: line.colour}));
        if (line.values.length <= MARKED) line.values.forEach((v, i) => {
            if (usable(v)) svg.append(make("circle", {cx: x(line.steps[i]), cy: inside(v), r: 3, fill: line.colour}));
        });
    }
    /* a line under the pointer, and what the curves are there */
    const cursor = make("line", {class: "cursor", y1: top, y2: h - bottom, visibility: "hidden"});
    svg.append(cursor);
    svg.addEventListener("mousemove", e => {
        const box = svg.getBoundingClientRect(), step = from + (to - from) * ((e.clientX - box.left) / box.width * w - left) / (w - left - right);
        const rows = shown.map(line => {
            const i = nearest(line.steps, step);
            return {step: line.steps[i], text: `${line.label}: ${number(line.values[i])}` + (smooth > 0 ? `, smoothed ${number(line.soft[i])}` : "")};
        });
        if (!rows.length) return;
        cursor.setAttribute("visibility", "visible");
        cursor.setAttribute("x1", x(rows[0].step));
        cursor.setAttribute("x2", x(rows[0].step));
        const near = events.filter(v => Math.abs(x(v.step) - x(step)) < 4).map(v => `\n${v.type} at ${v.step}: ${v.text}`);
        tip.textContent = (options.place || "step") + " " + number(rows[0].step) + "\n" + rows.map(r => r.text).join("\n") + near.join("");
        tip.style.left = Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
        tip.style.top = Math.min(e.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
    });
    svg.addEventListener("mouseleave", () => { tip.textContent = ""; cursor.setAttribute("visibility", "hidden"); });
    return svg;
}
function number(v) { return v === null || v === undefined ? "\u2013" : String(+v.toPrecision(5)); }
function nearest(steps, step) {
    let low = 0, high = steps.length - 1;
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (steps[middle] > step) high = middle; else low = middle;
    }
    return Math.abs(steps[low] - step) <= Math.abs(steps[high] - step) ? low : high;
}

/* ---- groups of pictures ---- */

const visibleRuns = () => data.runs.map((run, i) => ({run, i})).filter(r => !state.hidden.includes(r.i));
const eventsOf = runs => runs.flatMap(r => r.run.events.filter(e => e.type !== "end"));

/* One picture for each series, one line in it for each run. */
function byRun(names, options) {
    const runs = visibleRuns();
    return make("div", {class: "plots"}, names.map(name => {
        const lines = runs.filter(r => r.run.byName.has(name)).map(r => ({...r.run.byName.get(name), label: r.run.name, colour: COLOURS[r.i % COLOURS.length]}));
        if (!lines.length) return null;
        return make("figure", {}, make("figcaption", {}, titleOf(name)), plot(lines, {title: titleOf(name), events: eventsOf(runs), ...options}));
    }));
}

/* Colours of many lines in one picture: those of runs, then others, none twice. */
function colourOf(i) {
    return i < COLOURS.length ? COLOURS[i] : `hsl(${(i * 137.5) % 360} 45% 60%)`;
}

/* One picture for each run, one line in it for each series that begins with `prefix`. */
function byMember(prefix, title, options) {
    return make("div", {class: "plots"}, visibleRuns().map(r => {
        const lines = [...r.run.byName.values()].filter(s => s.name.startsWith(prefix))
            .map((s, i) => ({...s, label: s.name.slice(prefix.length), colour: colourOf(i)}));
        if (!lines.length) return null;
        return make("figure", {}, make("figcaption", {}, title + (data.runs.length > 1 ? ": " + r.run.name : "")), plot(lines, {title, ...options}),
            make("div", {class: "legend"}, lines.map(l => make("span", {class: "soft"}, make("span", {class: "swatch", style: "background:" + l.colour}), l.label))));
    }));
}

/* Of pictures: what the last validation reached at each level, one line for each run. */
function rateCurves() {
    const last = s => s.values[s.values.length - 1];
    const lines = visibleRuns().filter(r => r.run.byName.has("valid.psnr_db.1")).map(r => {
        const level = what => { const list = []; for (let l = 1; r.run.byName.has(what + l); l++) list.push(last(r.run.byName.get(what + l))); return list; };
        return {label: r.run.name, colour: COLOURS[r.i % COLOURS.length], steps: level("valid.bpp."), values: level("valid.psnr_db.")};
    });
    if (!lines.length) return null;
    const title = "last validation: PSNR in dB over bits per pixel";
    return make("div", {class: "plots"}, make("figure", {}, make("figcaption", {}, title), plot(lines, {title, plain: true, linear: true, place: "bpp"})));
}

function namesLike(test) {
    const names = [];
    for (const {run} of visibleRuns()) for (const name of run.byName.keys()) if (test(name) && !names.includes(name)) names.push(name);
    return names;
}

/* Stages below each other, steps from left to right; the brighter, the more. */
function stageMap(run, prefix, most, w) {
    const rows = [];
    for (let q = 1; run.byName.has(prefix + "." + q); q++) rows.push(run.byName.get(prefix + "." + q));
    const columns = 100, cell = 17, left = 30, right = 20, h = rows.length * cell + 22;
    const from = rows[0].steps[0], to = rows[0].steps[rows[0].steps.length - 1];
    const svg = make("svg", {viewBox: `0 0 ${w} ${h}`, role: "img", class: "stages", "aria-label": prefix + " of each stage"});
    rows.forEach((row, q) => {
        const sums = Array(columns).fill(0), counts = Array(columns).fill(0);
        row.steps.forEach((s, i) => {
            const c = to > from ? Math.min(columns - 1, Math.floor((s - from) / (to - from) * columns)) : 0;
            if (row.values[i] !== null) { sums[c] += row.values[i]; counts[c]++; }
        });
        svg.append(make("text", {x: left - 6, y: q * cell + 13, "text-anchor": "end"}, String(q + 1)));
        let value = null; /* where the stage was not used what it had before is shown */
        for (let c = 0; c < columns; c++) {
            if (counts[c]) value = sums[c] / counts[c];
            if (value === null) continue;
            const share = Math.min(1, value / most), step = Math.round(from + (to - from) * (c + 0.5) / columns);
            svg.append(tipped(make("rect", {x: left + (w - left - right) * c / columns, y: q * cell, width: (w - left - right) / columns + 0.3, height: cell - 1,
                fill: `hsl(${240 - 180 * share} 70% ${20 + 45 * share}%)`}), `stage ${q + 1}, about step ${step}\n${prefix} ${number(value)}`));
        }
    });
    for (const t of ticks(from, to, w / 120))
        svg.append(make("text", {x: left + (w - left - right) * (t - from) / (to - from || 1), y: h - 5, "text-anchor": "middle"}, String(t)));
    return svg;
}

/* ---- loss landscapes ---- */

const placesOf = (n, reach) => Array.from({length: n}, (_, i) => reach * (2 * i - (n - 1)) / (n - 1));

/* Two directions, the loss's logarithm from dark (low) to light; places where it is not finite stay empty. */
function planeMap(landscape) {
    const n = landscape.plane.length, side = 320, cell = side / n, places = placesOf(n, landscape.reach);
    const finite = landscape.plane.flat().filter(v => v !== null && v > 0).map(Math.log), low = Math.min(...finite), high = Math.max(...finite);
    const svg = make("svg", {viewBox: `0 0 ${side} ${side}`, role: "img", class: "plane", "aria-label": "loss in the plane of two directions"});
    landscape.plane.forEach((row, j) => row.forEach((v, i) => {
        if (v === null || !(v > 0)) return;
        const share = high > low ? (Math.log(v) - low) / (high - low) : 0;
        svg.append(tipped(make("rect", {x: i * cell, y: side - (j + 1) * cell, width: cell + 0.3, height: cell + 0.3,
            fill: `hsl(${240 - 180 * share} 70% ${20 + 45 * share}%)`}), `a ${number(places[i])}, b ${number(places[j])}\nloss ${number(v)}`));
    }));
    return svg;
}

function landscapeCard() {
    const runs = data.runs.map((run, i) => ({run, i})).filter(r => r.run.landscape);
    if (!runs.length) return null;
    const figure = (title, ...children) => make("figure", {}, make("figcaption", {}, title), ...children);
    const lines = runs.map(r => ({label: r.run.name, colour: COLOURS[r.i % COLOURS.length], values: r.run.landscape.line,
                                  steps: placesOf(r.run.landscape.line.length, r.run.landscape.reach)}));
    return card("Loss landscape", make("p", {class: "soft"}, "Weighted losses of fixed crops while the averaged weights move along random directions of which each filter has " +
            "the weights' own length; 0 is where they are. " + runs.map(r => `${r.run.name}: step ${r.run.landscape.step}, ${r.run.landscape.crops} crops, ${r.run.landscape.seconds} s`).join("; ") + "."),
        make("div", {class: "plots", id: "landscape"}, figure("along one direction", plot(lines, {title: "loss along one direction", plain: true, linear: true, place: "a"})),
            ...runs.filter(r => r.run.landscape.plane.length).map(r => figure("in the plane of two" + (runs.length > 1 ? ": " + r.run.name : ""), planeMap(r.run.landscape)))));
}

/* ---- samples ---- */

let samplePlayer = null;

function samplesCard() {
    const runs = data.runs.map((run, i) => ({run, i})).filter(r => r.run.samples && r.run.samples.length);
    if (!runs.length) return null;
    const body = make("div", {id: "samples"});
    const choice = (label, options, value, set) => make("label", {}, label, make("select", {"aria-label": label, onchange: e => { set(+e.target.value); keepState(); draw(); }},
        options.map(o => make("option", {value: o.value, selected: o.value === value}, o.text))));
    function draw() {
        if (samplePlayer) samplePlayer.stop();
        const current = runs.find(r => r.i === state.run) || runs[0], samples = current.run.samples;
        const clips = [...new Set(samples.map(s => s.clip))], clip = clips.includes(state.clip) ? state.clip : clips[0];
        const decoded = samples.filter(s => s.clip === clip && s.rate_bps), rates = [...new Set(decoded.map(s => s.rate_bps))];
        const rate = rates.includes(state.rate) ? state.rate : rates[rates.length - 1], list = decoded.filter(s => s.rate_bps === rate);
        const original = samples.find(s => s.clip === clip && !s.rate_bps), heard = list.find(s => s.step === state.step) || list[list.length - 1];
        const controls = make("div", {class: "controls"},
            runs.length > 1 ? choice("run", runs.map(r => ({value: r.i, text: r.run.name})), current.i, v => { state.run = v; }) : null,
            choice("clip", clips.map(c => ({value: c, text: String(c)})), clip, v => { state.clip = v; }),
            choice("rate", rates.map(r => ({value: r, text: r / 1000 + " kbit/s"})), rate, v => { state.rate = v; }));
        const steps = make("div", {class: "legend steps"}, list.map(s => make("button", {"aria-pressed": String(s === heard),
            onclick: () => { state.step = s === list[list.length - 1] ? null : s.step; keepState(); draw(); }}, "step " + s.step)));
        body.replaceChildren(controls, steps);
        if (!original || !heard) return;
        const sound = {ref_wav: original.sound, dist_wav: heard.sound, start_s: 0, seconds: 1};
        samplePlayer = player(sound, () => {});
        const first = samplePlayer.sides[0];
        first.addEventListener("loadedmetadata", () => { sound.seconds = first.duration; samplePlayer.querySelector(".seek").max = first.duration; });
        body.append(samplePlayer);
    }
    draw();
    return card("Samples", make("p", {class: "soft"}, "Held-out clips as the averaged weights reproduced them. Both run at once, so that switching is instant."), body);
}

/* ---- the page ---- */

function runPage() {
    const curves = make("div");
    const legend = make("div", {class: "legend", id: "runs"}, data.runs.map((run, i) => make("button", {"aria-pressed": String(!state.hidden.includes(i)), title: run.path + ": " + run.data, onclick: e => {
        state.hidden = state.hidden.includes(i) ? state.hidden.filter(k => k !== i) : [...state.hidden, i];
        e.currentTarget.setAttribute("aria-pressed", String(!state.hidden.includes(i)));
        draw();
    }}, make("span", {class: "swatch", style: "background:" + COLOURS[i % COLOURS.length]}), run.name)));
    const smooth = make("input", {type: "range", id: "smooth", min: 0, max: 0.98, step: 0.02, value: state.smooth, "aria-label": "smoothing",
                                  oninput: () => { state.smooth = +smooth.value; draw(); }});
    const log = make("input", {type: "checkbox", id: "log", checked: state.log, onchange: () => { state.log = log.checked; draw(); }});

    function stages(prefix, mostOf, note) {
        return visibleRuns().map(r => {
            const rows = [...r.run.byName.values()].filter(s => s.name.startsWith(prefix + "."));
            return rows.some(s => s.name === prefix + ".1") ? make("figure", {}, make("figcaption", {}, (data.runs.length > 1 ? r.run.name : "") + note(mostOf(rows))),
                fitted(1000, w => stageMap(r.run, prefix, mostOf(rows), w))) : null;
        });
    }
    function section(title, text, ...children) {
        const some = children.flat().filter(c => c && (c.tagName === "FIGURE" || c.querySelector && c.querySelector("figure")));
        return some.length ? card(title, text ? make("p", {class: "soft"}, text) : null, ...some) : null;
    }
    function draw() {
        const pictures = visibleRuns().some(r => r.run.byName.has("valid.psnr_db.1"));
        keepState();
        curves.replaceChildren(...[
            section("Validation", pictures ? "" : "Lower is better.",
                    byRun(namesLike(n => n === "valid.score" || n.startsWith("valid.mel_distance.") || n.startsWith("valid.loss.") || n === "valid.integer_gap"), {plain: true}),
                    rateCurves(), byMember("valid.psnr_db.", "validation: PSNR, dB, by level", {plain: true}),
                    byMember("valid.bpp.", "validation: bits per pixel by level", {plain: true})),
            section("Losses", "Means between two lines of the log, before weights.", byRun(namesLike(n => ["loss", "bpp", "z_bpp", "psnr_db", "commitment", "max_activation"].includes(n) || n.startsWith("loss.") || n.startsWith("term.")))),
            section("What each loss has in the update", "Shares add up to 1; one below 0 is a loss that the update works against.", byMember("share.", "share of the update", {linear: true})),
            section("Codebook usage", "Share of living codes of each stage, from dark (0) to light (1).", stages("usage", () => 1, () => "")),
            section("Codebook perplexity", "How many codes a batch uses evenly; light is the most that any stage reached.",
                    stages("perplexity", rows => Math.max(1, ...rows.flatMap(s => s.values.filter(v => v !== null))), most => ` up to ${most.toFixed(0)}`)),
            section("Critics", "", byRun(namesLike(n => n.startsWith("critics.")))),
            section("Optimiser", "Red lines: steps that were skipped; grey ones: the run was resumed there.", byRun(namesLike(n => n === "lr" || n === "grad_norm" || n === "scale")),
                    byMember("layer_norm.", "gradient's norm by part", {}), byMember("update_ratio.", "norm of the update over that of the weights", {})),
            section("Quantiser", "", byRun(namesLike(n => n === "quantizer_error" || n === "stages"))),
            section("Speed", "", byRun(namesLike(n => n === "audio_per_s" || n === "crops_per_s")), byMember("ms.", "milliseconds of a step by phase", {linear: true}))
        ].filter(Boolean));
    }
    const when = t => new Date(1000 * t).toLocaleString();
    const facts = make("table", {id: "facts"}, make("thead", {}, make("tr", {}, ["run", "model", "steps", "best score", "at step", "started", "last line", "state"].map(t => make("th", {scope: "col"}, t)))),
        make("tbody", {}, data.runs.map(run => {
            const valid = run.byName.get("valid.score"), end = run.events.filter(e => e.type === "end" || e.type === "error").pop();
            const best = valid ? Math.min(...valid.values.filter(v => v !== null)) : null;
            return make("tr", {title: run.path}, make("td", {}, run.name), make("td", {}, run.model), make("td", {}, run.step + " of " + run.steps), make("td", {}, number(best)),
                make("td", {}, valid ? String(valid.steps[valid.values.indexOf(best)]) : "\u2013"), make("td", {}, when(run.first_time)), make("td", {}, when(run.last_time)),
                make("td", {class: end && end.type === "error" && run.ended ? "failed" : null}, run.ended && end ? end.type === "error" ? end.text : end.text : "at work"));
        })));
    main.append(make("header", {}, make("div", {}, make("h1", {}, "How is the training going?"),
        make("div", {class: "soft"}, data.runs.length + (data.runs.length === 1 ? " run" : " runs") + " \u00b7 residua " + data.version +
             (data.refresh_s ? " \u00b7 follows the run" : ""))), themeButton()),
        card("Runs", make("div", {class: "scroll"}, facts),
             make("div", {class: "controls"}, legend, make("label", {}, "smoothing", smooth), make("label", {}, log, "logarithmic"))),
        samplesCard() || "", curves, landscapeCard() || "",
        card("Settings", ...data.runs.filter(r => r.config).map(r => make("details", {}, make("summary", {}, r.path), make("pre", {class: "scroll"}, r.config)))));
    draw();
    if (data.refresh_s)
        setInterval(() => { if (!samplePlayer || samplePlayer.sides[0].paused) location.reload(); }, 1000 * data.refresh_s);
}

runPage();
