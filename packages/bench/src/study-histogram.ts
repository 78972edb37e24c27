/** A distribution, in classes of equal width. */
export type Histogram = {
  /** Lower end of the first class. */
  readonly from: number;
  readonly width: number;
  readonly counts: readonly number[];
};

/** Widths that people read easily. */
const niceSteps = [1, 2, 5];
const barLength = 50;

/** @param most classes, about */
export function histogram(values: readonly number[], most = 15): Histogram {
  if (values.length === 0) return { from: 0, width: 1, counts: [] };
  const low = Math.min(...values);
  const high = Math.max(...values);
  const width = niceWidth((high - low) / most);
  const from = Math.floor(low / width) * width;
  const counts = Array.from({ length: Math.floor((high - from) / width) + 1 }, () => 0);
  for (const value of values) {
    const at = Math.floor((value - from) / width);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return { from, width, counts };
}

/** At least 1, and not less than `width`. */
function niceWidth(width: number): number {
  for (let scale = 1; ; scale *= 10) {
    const step = niceSteps.find((one) => one * scale >= width);
    if (step !== undefined) return step * scale;
  }
}

/** A line for each class. */
export function histogramText({ from, width, counts }: Histogram): string {
  const most = Math.max(1, ...counts);
  const labels = counts.map((_, at) => `${from + at * width} – ${from + (at + 1) * width}`);
  const labelWidth = Math.max(0, ...labels.map((label) => label.length));
  return counts
    .map((count, at) => {
      const bar = "█".repeat(Math.round((count / most) * barLength)) || (count > 0 ? "▏" : "");
      return `${labels[at]?.padStart(labelWidth)}  ${bar} ${count}`;
    })
    .join("\n");
}

const chart = { width: 640, height: 200, left: 10, top: 30, bottom: 30 } as const;

/** One chart below the other, each with its title. Titles are our own texts and hold nothing to escape. */
export function histogramSvg(charts: readonly { title: string; histogram: Histogram }[]): string {
  const height = charts.length * chart.height;
  const body = charts.map(({ title, histogram: one }, at) =>
    chartSvg(title, one, at * chart.height),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${chart.width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

function chartSvg(title: string, { from, width, counts }: Histogram, top: number): string {
  const most = Math.max(1, ...counts);
  const barWidth = (chart.width - 2 * chart.left) / Math.max(1, counts.length);
  const room = chart.height - chart.top - chart.bottom;
  const floor = top + chart.height - chart.bottom;
  const parts = counts.flatMap((count, at) => {
    const height = (count / most) * room;
    const x = chart.left + at * barWidth;
    return [
      `<rect x="${x.toFixed(1)}" y="${(floor - height).toFixed(1)}" width="${(barWidth - 1).toFixed(1)}" height="${height.toFixed(1)}" fill="#4477aa"/>`,
      `<text x="${x.toFixed(1)}" y="${floor + 15}">${from + at * width}</text>`,
    ];
  });
  return [`<text x="${chart.left}" y="${top + 18}">${title}</text>`, ...parts].join("\n");
}
