// Where the steps of a runbook stand in the graph.

import dagre from '@dagrejs/dagre';
import type { Step } from '../../lib/wire/types.ts';

export const NODE = { width: 212, height: 52 };

export interface Spot {
  id: string;
  x: number;
  y: number;
}
export interface Layout {
  width: number;
  height: number;
  spots: Spot[];
  edges: { from: string; to: string; d: string }[];
}

/** Steps from left to right in the order they wait for each other. */
export function layout(steps: readonly Pick<Step, 'id' | 'after'>[]): Layout {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: 'LR', nodesep: 18, ranksep: 44, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(steps.map((step) => step.id));
  for (const step of steps) graph.setNode(step.id, { ...NODE });
  for (const step of steps) for (const before of step.after) if (known.has(before)) graph.setEdge(before, step.id);
  dagre.layout(graph);
  const spots = steps.map((step) => {
    const node = graph.node(step.id);
    return { id: step.id, x: node.x - NODE.width / 2, y: node.y - NODE.height / 2 };
  });
  const edges = graph.edges().map((edge) => {
    const [from, to] = [graph.node(edge.v), graph.node(edge.w)];
    const [x1, x2] = [from.x + NODE.width / 2, to.x - NODE.width / 2];
    const bend = Math.max(16, (x2 - x1) / 2);
    return { from: edge.v, to: edge.w, d: `M${x1} ${from.y}C${x1 + bend} ${from.y} ${x2 - bend} ${to.y} ${x2} ${to.y}` };
  });
  const size = graph.graph();
  return { width: size.width ?? 0, height: size.height ?? 0, spots, edges };
}
