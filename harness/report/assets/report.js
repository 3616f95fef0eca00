// Comfort only: reading off values, zooming, switching series, sorting. The page is complete without.
"use strict";
(() => {
  const root = document.documentElement;
  const failed = (what) => { root.dataset.error = String(what); };
  window.addEventListener("error", (event) => failed(event.message));
  document.addEventListener("securitypolicyviolation", (event) => failed(event.violatedDirective));

  const SVG = "http://www.w3.org/2000/svg";
  const number = (value, digits = 0) =>
    value.toLocaleString("en-US", { maximumFractionDigits: digits });

  function element(name, attributes, parent) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (parent) parent.append(made);
    return made;
  }

  // --- one tip for the whole page -----------------------------------------------------------------
  function makeTip() {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("role", "status");
    document.body.append(tip);
    return {
      show(text, event) {
        tip.textContent = text;
        tip.hidden = false;
        const right = event.clientX + 16 + tip.offsetWidth > window.innerWidth;
        const left = event.clientX + (right ? -tip.offsetWidth - 12 : 16);
        const top = Math.min(event.clientY + 16, window.innerHeight - tip.offsetHeight - 8);
        tip.style.left = `${Math.max(4, left)}px`;
        tip.style.top = `${top}px`;
      },
      hide() { tip.hidden = true; },
    };
  }

  // --- scales: as harness/report/html/axes.py draws them ------------------------------------------
  function ticks(low, high, most) {
    const least = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= least * (1 - 1e-9));
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k <= Math.floor(high / step + 1e-9); k += 1) {
      found.push(step >= 1 ? k * step : k / Math.round(1 / step));
    }
    return found;
  }

  // --- a chart with a time axis --------------------------------------------------------------------
  class TimeChart {
    constructor(svg, data, tip) {
      Object.assign(this, { svg, data, tip, low: data.lo, high: data.hi, from: null });
      this.panels = [...svg.querySelectorAll(".panel")].map((panel) => ({
        kind: panel.dataset.kind,
        top: Number(panel.dataset.top),
        bottom: Number(panel.dataset.bottom),
        first: Number(panel.dataset.first),
        step: Number(panel.dataset.step),
        all: Number(panel.dataset.count),
        counts: panel.dataset.counts.split(" ").map(Number),
      }));
      const clips = [...svg.querySelectorAll("clipPath rect")];
      this.top = Math.min(...clips.map((rect) => rect.y.baseVal.value));
      this.bottom = Math.max(
        ...clips.map((rect) => rect.y.baseVal.value + rect.height.baseVal.value));
      this.cross = element("line", { class: "cross", y1: this.top, y2: this.bottom }, svg);
      this.cross.style.display = "none";
      this.box = element("rect", { class: "select", y: this.top, height: this.bottom - this.top }, svg);
      this.box.style.display = "none";
      this.button = document.createElement("button");
      this.button.type = "button";
      this.button.className = "reset";
      this.button.textContent = "Show all";
      this.button.hidden = true;
      svg.parentElement.append(this.button);
      this.button.addEventListener("click", () => this.zoom(data.lo, data.hi));
      svg.classList.add("can-zoom");
      svg.addEventListener("pointermove", (event) => this.moved(event));
      svg.addEventListener("pointerleave", () => this.left());
      svg.addEventListener("pointerdown", (event) => this.pressed(event));
      svg.addEventListener("pointerup", (event) => this.released(event));
      svg.addEventListener("dblclick", () => this.zoom(data.lo, data.hi));
    }

    place(event) {
      const point = new DOMPoint(event.clientX, event.clientY);
      return point.matrixTransform(this.svg.getScreenCTM().inverse());
    }

    cycleAt(x) {
      const share = (x - this.data.x0) / (this.data.x1 - this.data.x0);
      return this.low + share * (this.high - this.low);
    }

    pixelOf(cycle) {
      const share = (cycle - this.low) / (this.high - this.low);
      return this.data.x0 + share * (this.data.x1 - this.data.x0);
    }

    inside({ x, y }) {
      return x >= this.data.x0 && x <= this.data.x1 && y >= this.top - 30 && y <= this.bottom + 4;
    }

    moved(event) {
      const at = this.place(event);
      if (this.from !== null) {
        const to = Math.min(Math.max(at.x, this.data.x0), this.data.x1);
        this.box.setAttribute("x", Math.min(this.from, to));
        this.box.setAttribute("width", Math.abs(to - this.from));
        this.box.style.display = "";
      }
      if (!this.inside(at)) { this.left(); return; }
      this.cross.setAttribute("x1", at.x);
      this.cross.setAttribute("x2", at.x);
      this.cross.style.display = "";
      const marked = event.target.closest("[data-tip]");
      this.tip.show(marked ? marked.dataset.tip : this.read(at), event);
    }

    left() {
      this.cross.style.display = "none";
      this.tip.hide();
    }

    read({ x, y }) {
      const cycle = Math.round(this.cycleAt(x));
      const time = `${number(cycle)} cycles, ${number(cycle * this.data.ns, 1)} ns`;
      if (this.data.steps) return `${time}: ${number(this.depthAt(this.cycleAt(x)))} waiting`;
      const panel = this.panels.find((one) => y <= one.bottom + 4);
      if (!panel) return time;
      const bar = Math.floor((cycle - panel.first) / panel.step);
      const events = panel.counts[bar] || 0;
      const last = bar < 0 ? 0 : bar + 1;
      const below = panel.counts.slice(0, last).reduce((sum, count) => sum + count, 0);
      const share = panel.all ? (100 * below) / panel.all : 0;
      return `${panel.kind} ${time}: ${number(events)} events; ${number(share, 3)} % at most that`;
    }

    depthAt(cycle) {
      const [cycles, depths] = this.data.steps;
      let low = 0;
      let high = cycles.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (cycles[middle] <= cycle) low = middle + 1; else high = middle;
      }
      return low ? depths[low - 1] : 0;
    }

    pressed(event) {
      const at = this.place(event);
      if (event.button !== 0 || event.pointerType === "touch" || !this.inside(at)) return;
      if (event.target.closest(".key")) return;
      this.from = at.x;
      event.preventDefault();
    }

    released(event) {
      if (this.from === null) return;
      const to = Math.min(Math.max(this.place(event).x, this.data.x0), this.data.x1);
      const [first, last] = [this.from, to].sort((a, b) => a - b).map((x) => this.cycleAt(x));
      const wide = Math.abs(to - this.from) > 5;
      this.from = null;
      this.box.style.display = "none";
      if (wide && last - first >= 2) this.zoom(first, last);
    }

    zoom(low, high) {
      const { x0, x1, lo, hi } = this.data;
      Object.assign(this, { low, high });
      const scale = (hi - lo) / (high - low);
      const shift = x0 + ((lo - low) / (high - low)) * (x1 - x0) - scale * x0;
      const whole = low === lo && high === hi;
      for (const group of this.svg.querySelectorAll(".zoom")) {
        group.setAttribute("transform", `matrix(${scale} 0 0 1 ${shift} 0)`);
      }
      for (const pin of this.svg.querySelectorAll(".pin")) {
        const x = this.pixelOf(Number(pin.dataset.v));
        pin.setAttribute("transform", `translate(${x} 0)`);
        pin.style.display = x < x0 - 0.5 || x > x1 + 0.5 ? "none" : "";
      }
      for (const axis of this.svg.querySelectorAll(".ticks")) this.retick(axis);
      this.svg.classList.toggle("zoomed", !whole);
      this.button.hidden = whole;
    }

    retick(axis) {
      const per = Number(axis.dataset.per);
      const y = Number(axis.dataset.y);
      axis.replaceChildren();
      for (const value of ticks(this.low * per, this.high * per, 9)) {
        const x = this.pixelOf(value / per);
        element("line", { class: "axis", x1: x, x2: x, y1: y, y2: y + 5 }, axis);
        element("text", { x, y: y + 18, "text-anchor": "middle" }, axis).textContent =
          number(value, 3);
      }
    }
  }

  // --- charts without one: tips only --------------------------------------------------------------
  function tips(svg, tip) {
    svg.addEventListener("pointermove", (event) => {
      const marked = event.target.closest("[data-tip]");
      if (marked) tip.show(marked.dataset.tip, event); else tip.hide();
    });
    svg.addEventListener("pointerleave", () => tip.hide());
  }

  // --- series on and off --------------------------------------------------------------------------
  function switches(svg) {
    for (const key of svg.querySelectorAll("[data-key]")) {
      const flip = () => {
        const off = key.classList.toggle("off");
        key.setAttribute("aria-pressed", String(!off));
        for (const part of svg.querySelectorAll(`.${CSS.escape(key.dataset.key)}`)) {
          if (!part.closest(".legend")) part.classList.toggle("off-series", off);
        }
      };
      key.setAttribute("role", "button");
      key.setAttribute("tabindex", "0");
      key.setAttribute("aria-pressed", "true");
      key.addEventListener("click", flip);
      key.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); flip(); }
      });
      svg.setAttribute("role", "group");
    }
  }

  // --- sorting ------------------------------------------------------------------------------------
  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(head.firstChild);
      head.prepend(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sortBy(table.tBodies[0], column, down);
      });
    });
  }

  function sortBy(body, column, down) {
    const value = (row) => row.cells[column].dataset.v;
    const compare = (a, b) => {
      // What is missing comes last, whichever way.
      if (a === "" || b === "") return (a === "") - (b === "");
      const difference = Number(a) - Number(b);
      const order = Number.isNaN(difference) ? a.localeCompare(b) : difference;
      return down ? -order : order;
    };
    body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b))));
  }

  document.addEventListener("DOMContentLoaded", () => {
    const tip = makeTip();
    for (const svg of document.querySelectorAll("svg.chart")) {
      const data = svg.dataset.chart ? JSON.parse(svg.dataset.chart) : {};
      if (data.ns) new TimeChart(svg, data, tip); else tips(svg, tip);
      switches(svg);
    }
    document.querySelectorAll("table.sortable").forEach(sortable);
    root.dataset.ready = "yes";
  });
})();
