// Draws the dashboard's table as stacked bars, with uPlot. The table stays, for whoever reads numbers.
"use strict";
(() => {
  let drawn = [];
  const style = (place, name) => getComputedStyle(place).getPropertyValue(name).trim();

  const read = (table, columns) => ({
    labels: [...table.tBodies[0].rows].map((row) => row.cells[0].textContent),
    names: columns.map((column) => table.tHead.rows[0].cells[column].textContent),
    values: columns.map((column) => [...table.tBodies[0].rows].map((row) => Number(row.cells[column].textContent))),
  });

  // Each series is drawn to the top of all that lie below it, the highest first.
  const stacked = (values) => {
    const tops = values.map((series) => series.slice());
    for (let i = tops.length - 2; i >= 0; i--) tops[i] = tops[i].map((value, at) => value + tops[i + 1][at]);
    return tops;
  };

  const draw = (place) => {
    const columns = place.dataset.columns.split(",").map(Number);
    const { labels, names, values } = read(document.getElementById(place.dataset.chart), columns);
    const ink = style(place, "--quiet"), line = style(place, "--line");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px system-ui, sans-serif" };
    const chart = new uPlot({
      width: place.clientWidth, height: 240, cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: false, range: [-0.7, labels.length - 0.3] }, y: { range: (_, __, top) => [0, Math.max(4, top * 1.05)] } },
      axes: [
        { ...axis, grid: { show: false }, incrs: [1, 2, 3, 4, 6, 8, 12], values: (_, splits) => splits.map((at) => labels[at] ?? "") },
        { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6], values: (_, splits) => splits.map((n) => n.toLocaleString("en")) },
      ],
      series: [
        { label: "From", value: (_, at) => labels[at ?? 0] ?? "–" },
        ...names.map((name, i) => ({
          label: name, fill: style(place, "--bar-" + columns[i]), width: 0, points: { show: false },
          paths: uPlot.paths.bars({ size: [0.75, 48] }), value: (_, __, ___, at) => (at == null ? values[i].reduce((sum, n) => sum + n, 0) : values[i][at]).toLocaleString("en"),
        })),
      ],
      legend: { markers: { width: 0, fill: (_, i) => style(place, "--bar-" + columns[i - 1]) } },
    }, [labels.map((_, at) => at), ...stacked(values)], place);
    drawn.push({ chart, place });
  };

  const drawAll = () => {
    drawn.forEach(({ chart }) => chart.destroy());
    drawn = [];
    document.querySelectorAll(".chart").forEach((place) => { place.replaceChildren(); draw(place); });
  };
  let tableOpen = false;
  const start = () => {
    const table = document.querySelector(".as-table");
    if (table) { table.open = tableOpen; table.addEventListener("toggle", () => { tableOpen = table.open; }); }
    drawAll();
  };
  start();
  document.addEventListener("htmx:afterSwap", (event) => { if (document.getElementById("dashboard")) start(); });
  addEventListener("resize", () => drawn.forEach(({ chart, place }) => chart.setSize({ width: place.clientWidth, height: 240 })));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  new MutationObserver(drawAll).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
})();
