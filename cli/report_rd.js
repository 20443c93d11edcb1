/* report_rd.js - the page of `residua bench rd --report`.
 *
 * SPDX-License-Identifier: MIT
 */

function curves(m, hidden, w) {
    const metric = data.metrics[m], h = Math.max(280, Math.min(460, w * 0.6)), left = 64, right = 14, top = 12, bottom = 46;
    const codecs = data.codecs.map((c, i) => ({...c, i, points: c.points.filter(p => p.values[m] !== null)}));
    const points = codecs.filter(c => !hidden.has(c.i)).flatMap(c => c.points);
    if (!points.length) return make("p", {class: "soft"}, "There is nothing to show.");
    const rates = points.map(p => p.rate), values = points.map(p => p.values[m]);
    const low = Math.log(Math.min(...rates) / 1.1), high = Math.log(Math.max(...rates) * 1.1);
    const margin = (Math.max(...values) - Math.min(...values)) * 0.06 || 0.5, least = Math.min(...values) - margin, most = Math.max(...values) + margin;
    const x = r => left + (w - left - right) * (Math.log(r) - low) / (high - low), y = v => h - bottom - (h - top - bottom) * (v - least) / (most - least);
    const svg = make("svg", {viewBox: `0 0 ${w} ${h}`, id: "curves", role: "img", "aria-label": metric.title + " over rate"});
    for (const t of ticks(least, most, 6))
        svg.append(make("line", {class: "axis", x1: left, x2: w - right, y1: y(t), y2: y(t)}), make("text", {x: left - 8, y: y(t) + 4, "text-anchor": "end"}, String(t)));
    for (let power = Math.floor(low / Math.LN10); power <= Math.ceil(high / Math.LN10); power++)
        for (const digit of w < 600 ? [1, 3] : [1, 2, 3, 5]) {
            const t = digit * 10 ** power;
            if (Math.log(t) < low || Math.log(t) > high) continue;
            svg.append(make("line", {class: "axis", x1: x(t), x2: x(t), y1: top, y2: h - bottom}),
                       make("text", {x: x(t), y: h - bottom + 17, "text-anchor": "middle"}, String(+t.toPrecision(3))));
        }
    svg.append(make("text", {x: (left + w - right) / 2, y: h - 8, "text-anchor": "middle"}, data.rate_title),
               make("text", {x: 14, y: h / 2, transform: `rotate(-90 14 ${h / 2})`, "text-anchor": "middle"}, withUnit(metric) + " (better: " + metric.better + ")"));
    for (const codec of codecs) {
        if (hidden.has(codec.i)) continue;
        const colour = COLOURS[codec.i % COLOURS.length];
        svg.append(make("polyline", {points: codec.points.map(p => x(p.rate) + "," + y(p.values[m])).join(" "), fill: "none", stroke: colour, "stroke-width": 2.5}));
        for (const p of codec.points)
            svg.append(tipped(make("circle", {cx: x(p.rate), cy: y(p.values[m]), r: w < 600 ? 4 : 5.5, fill: colour}),
                `${codec.name}, ${p.setting}\n${p.rate.toPrecision(4)} ${data.rate_unit}, ${p.values[m].toFixed(metric.digits)} ${metric.unit}\n` +
                `encodes ${p.encode_speed}, decodes ${p.decode_speed}`));
    }
    return svg;
}

function rdPage() {
    const hidden = new Set(), chart = make("div");
    const bd = make("div", {class: "scroll"}), marks = make("div", {class: "scroll"}), eachMarks = make("div", {class: "scroll"});
    const anchors = make("select", {id: "anchor", "aria-label": "anchor", onchange: draw}, data.anchors.map((name, a) => make("option", {value: a}, name)));
    const picker = make("select", {id: "metric", "aria-label": "metric", onchange: draw}, data.metrics.map((m, i) => make("option", {value: i}, withUnit(m))));
    const legend = make("div", {class: "legend"}, data.codecs.map((c, i) => make("button", {"aria-pressed": "true", title: c.settings, onclick: e => {
        hidden.has(i) ? hidden.delete(i) : hidden.add(i);
        e.currentTarget.setAttribute("aria-pressed", String(!hidden.has(i)));
        draw();
    }}, make("span", {class: "swatch", style: "background:" + COLOURS[i % COLOURS.length]}), c.name)));
    function draw() {
        const m = +picker.value;
        chart.replaceChildren(fitted(1000, w => curves(m, hidden, w)));
        bd.replaceChildren(make("table", {id: "bd"}, make("thead", {}, make("tr", {}, ["codec", "BD-rate", "from", "to", "overlap", "each by itself", ""].map(h => make("th", {}, h)))),
            make("tbody", {}, data.codecs.map(c => {
                const b = c.bd[+anchors.value][m], digits = data.metrics[m].digits;
                const signed = v => v === null ? "n/a" : (v > 0 ? "+" : "") + v.toFixed(1) + " %";
                return make("tr", {}, make("td", {}, c.name), make("td", {}, signed(b.percent)),
                    make("td", {}, show(b.from, digits)), make("td", {}, show(b.to, digits)),
                    make("td", {}, b.overlap === null ? "\u2013" : (100 * b.overlap).toFixed(0) + " %"),
                    make("td", {}, b.each_n > 1 ? signed(b.each_percent) + " \u00b1 " + b.each_half_width_95.toFixed(1) + " (" + b.each_n + ")" : "\u2013"), make("td", {class: "note soft"}, b.why || ""));
            }))));
        marks.replaceChildren(atRates("marks", data.marks, c => c.at_marks[m]));
        eachMarks.replaceChildren(atRates("each-marks", data.marks.map((k, i) => k + " (" + data.each_n[m][i] + ")"), c => c.each_at_marks[m]));
    }
    function atRates(id, titles, values) {
        const digits = data.metrics[+picker.value].digits;
        return make("table", {id}, make("thead", {}, make("tr", {}, make("th", {}, data.rate_unit), titles.map(t => make("th", {}, String(t))))),
            make("tbody", {}, data.codecs.map(c => make("tr", {}, make("td", {}, c.name), values(c).map(v => make("td", {}, v === null ? "\u2013" : show(v, digits)))))));
    }
    const rows = data.codecs.flatMap(c => c.points.map(p => ({c, p})));
    const columns = [{title: "codec", value: r => data.codecs.indexOf(r.c)}, {title: "setting", value: r => r.p.setting}, {title: data.rate_unit, value: r => r.p.rate}]
        .concat(data.metrics.map((m, i) => ({title: withUnit(m), tip: m.summary, value: r => r.p.values[i] === null ? NaN : r.p.values[i]})))
        .concat([{title: "encodes", value: r => r.p.encode_rate}, {title: "decodes", value: r => r.p.decode_rate}]);
    const row = r => make("tr", {}, make("td", {}, r.c.name), make("td", {}, r.p.setting), make("td", {}, r.p.rate.toPrecision(4)),
        data.metrics.map((m, i) => make("td", {}, show(r.p.values[i], m.digits))), make("td", {}, r.p.encode_speed), make("td", {}, r.p.decode_speed));
    main.append(make("header", {}, make("div", {}, make("h1", {}, "Rate and distortion"),
        make("div", {class: "soft"}, data.subject + " \u00b7 residua " + data.version)), themeButton()),
        card("Curves", make("div", {class: "controls"}, picker, legend), chart),
        card("Bits for the same quality", make("div", {class: "controls"}, make("label", {}, "against ", anchors)), make("p", {class: "soft"}, data.bd_note), bd),
        card("Quality at equal rates", make("p", {class: "soft"}, "Read off the curves of means; nothing beyond their ends."), marks,
            make("p", {class: "soft"}, `Each ${data.thing} by itself: the mean of what the ${data.things}' own curves give, over those (number) that every codec reaches there. ` +
                "Only these compare codecs whose dial is a rate with codecs whose dial is a quality."), eachMarks),
        card("Every point", make("div", {class: "scroll"}, sortable("points", columns, rows, {row, column: 0}))),
        card("Settings", make("table", {}, make("tbody", {}, data.codecs.map(c => make("tr", {}, make("td", {}, c.name), make("td", {class: "note"}, c.settings)))))));
    draw();
}

rdPage();
