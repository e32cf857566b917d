import { describe, expect, it } from "vitest";
import { type Grid, gridRanges, nearestGrid, parseGrid } from "../../service/contract/grid.ts";
import { gridFilter } from "../../service/kernel/grid-filter.ts";

const grid = (text: string): Grid => parseGrid(text) ?? { columns: 0, rows: 0 };
const grids = ["7x4", "5x5", "4x7"].map(grid);

describe("a grid", () => {
  it.each(["", "5", "5x", "0x5", "5x0", "65x1", "5X5", "5x5x5", " 5x5", "-5x5", "5.5x5"])(
    "is not written %j",
    (text) => {
      expect(parseGrid(text)).toBeUndefined();
    },
  );

  it("is written as columns x rows", () => {
    expect(parseGrid("7x4")).toEqual({ columns: 7, rows: 4 });
    expect(parseGrid("64x64")).toEqual({ columns: 64, rows: 64 });
  });
});

describe("the nearest grid", () => {
  it.each([
    [16 / 9, "7x4"],
    [4 / 3, "7x4"],
    [5 / 4, "5x5"],
    [1, "5x5"],
    [3 / 4, "4x7"],
    [9 / 16, "4x7"],
    [100, "7x4"],
    [0.001, "4x7"],
  ])("for the aspect %f is %s", (aspect, nearest) => {
    expect(nearestGrid(grids, aspect)).toEqual(grid(nearest));
  });

  it("is the one that is off by the smallest factor, at every aspect", () => {
    const off = ({ columns, rows }: Grid, aspect: number) => Math.abs(Math.log(aspect / (columns / rows)));
    for (let aspect = 0.1; aspect < 10; aspect *= 1.013) {
      const least = Math.min(...grids.map((one) => off(one, aspect)));
      expect(off(nearestGrid(grids, aspect), aspect)).toBeCloseTo(least, 9);
    }
  });

  it("is the only one where there is one", () => {
    expect(nearestGrid([grid("5x5")], 99)).toEqual(grid("5x5"));
    expect(() => nearestGrid([], 1)).toThrow(/no grid/);
    expect(gridRanges(grids).map(({ until }) => until)).toEqual([...bounds(), Number.POSITIVE_INFINITY]);
  });
});

const bounds = () => [Math.sqrt(4 / 7), Math.sqrt(7 / 4)];

describe("the filter for a grid", () => {
  it("leaves nothing to ffmpeg but the aspect where there is one grid", () => {
    expect(gridFilter([grid("5x5")], "area")).toEqual({
      scale:
        "scale=w='if(lt(abs(a/1-1),0.05),240,min(240,2*ceil((240*a-0.001)/2)))'" +
        ":h='if(lt(abs(a/1-1),0.05),240,min(240,2*ceil((240/a-0.001)/2)))':flags=area",
      pad: "pad=w='240':h='240':x='(ow-iw)/2':y='(oh-ih)/2'",
    });
  });

  it("chooses as nearestGrid does, in both of its steps, for every size of picture", () => {
    const { scale, pad } = gridFilter(grids, "area");
    for (let height = 90; height < 1200; height += 37) {
      for (let width = 90; width < 2000; width += 41) {
        const { columns, rows } = nearestGrid(grids, width / height);
        const outer = [columns * 48, rows * 48] as const;
        const inner = sizes(scale, width, height);
        expect(sizes(pad, ...inner)).toEqual(outer);
        expect(inner[0] === outer[0] || inner[1] === outer[1]).toBe(true);
        expect(inner.map((edge) => edge % 2)).toEqual([0, 0]);
        const error = inner[0] / inner[1] / (width / height);
        // A twentieth by stretching, the rest by rounding the shorter edge to even.
        expect(Math.abs(error - 1)).toBeLessThan(0.05 + 2 / Math.min(...inner));
      }
    }
  });
});

/** Width and height that a filter gives for a picture: its expressions are JavaScript but for their functions' names. */
function sizes(filter: string, width: number, height: number): [number, number] {
  const value = (name: string) => {
    const expression = new RegExp(`[=:]${name}='([^']+)'`).exec(filter)?.[1] ?? "";
    const code = expression.replaceAll("if(", "choose(");
    const names = ["a", "choose", "lt", "abs", "min", "ceil"];
    const choose = (condition: boolean, yes: number, no: number) => (condition ? yes : no);
    const lt = (a: number, b: number) => a < b;
    return new Function(...names, `return ${code}`)(
      width / height,
      choose,
      lt,
      Math.abs,
      Math.min,
      Math.ceil,
    );
  };
  return [value("w"), value("h")];
}
