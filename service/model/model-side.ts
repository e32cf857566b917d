import type { Sensors } from "../../device/sensors/sensors.ts";
import { type Running, runningOf } from "../api/openai/models.ts";
import { hottestOf, memoryBack, sensorsOf } from "../box.ts";
import type { Config } from "../contract/config.ts";
import type { Decision, DecisionRow, LoadTaken } from "../contract/decision.ts";
import type { GovernorState, GovernorView } from "../contract/governor.ts";
import type { ImageShape } from "../contract/models.ts";
import type { Readings } from "../contract/readings.ts";
import { Governor } from "../governor/governor.ts";
import { Ungoverned } from "../governor/ungoverned.ts";
import { Inference } from "../inference/inference.ts";
import { LadderEngine } from "../inference/ladder-engine.ts";
import type { RemoteEngine } from "../inference/remote-engine.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Part } from "../kernel/part.ts";
import { chosenLevel, engineBinary, modelStoreOf } from "./chosen-level.ts";
import { localEngine } from "./engines.ts";
import { GovernedLadder } from "./governed-ladder.ts";
import { isElsewhere, remoteEngineOf } from "./remote.ts";

interface Options {
  readonly config: Config;
  /** What levels took and did of late, by the record. */
  readonly record: {
    loads(ladder: string): readonly LoadTaken[];
    rates(ladder: string): readonly { readonly level: string; readonly tokensPerSecond: number }[];
  };
  readonly onState: (state: GovernorState) => void;
  /** Something that the governor decided or learned, to be recorded. */
  readonly keep: (what: { decision: DecisionRow } | { load: LoadTaken }) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What answers, and what governs it: the model of this box, servers elsewhere, or both. */
export interface ModelSide {
  readonly inference: Inference;
  readonly sensors: Sensors;
  readonly governor: Governor | Ungoverned;
  /** In the order in which they start. */
  readonly parts: readonly Part[];
  /** Names of the parts of which one has to do its work, or nothing is answered. */
  readonly essential: readonly string[];
  /** Size of the pictures that are asked about. */
  readonly image: ImageShape;
  /** Least time between two pictures of a watch now, ms. */
  interval(): number;
  running(): Running;
  view(): GovernorView;
  /** Resolves when something answers. */
  ready(signal: AbortSignal): Promise<void>;
}

/** Throws CONFIG_INVALID where the configuration's ladder or level is none. */
export function modelSideOf(options: Options): ModelSide {
  return isElsewhere(options.config) ? remoteSide(options) : localSide(options);
}

function remoteSide(options: Options): ModelSide {
  const { config, onState } = options;
  const shared = { clock: options.clock, logger: options.logger, metrics: options.metrics };
  const remote = remoteEngineOf(config, undefined, shared);
  if (!remote) throw new Error("engine.remote is not there");
  const inference = inferenceOf(config, shared, { engine: remote });
  // Nothing of this box warms up by what others answer.
  const idle = () => () => 0;
  const sensors = sensorsOf(config, shared, { pids: () => [], level: () => null, workMeter: idle });
  const servers = remote.servers.map(({ id }) => id);
  const governor = new Ungoverned({ ...shared, servers, sensors, onState });
  return {
    inference,
    sensors,
    governor,
    parts: [sensors, remote, governor, inference],
    essential: [remote.name],
    image: remote.image,
    interval: () => 0,
    running: () => ({ ladder: "remote", levels: [], level: undefined, reason: remote.health().reason }),
    view: () => ({ ...governor.view(), ladder: "remote", rungs: [] }),
    ready: (signal) => remote.ready(signal),
  };
}

function localSide(options: Options): ModelSide {
  const { config, record, onState, keep } = options;
  const shared = { clock: options.clock, logger: options.logger, metrics: options.metrics };
  const store = modelStoreOf(config, shared.logger);
  const { ladder, level: top } = chosenLevel(config, store);
  const engine = new LadderEngine({
    ...shared,
    ladder,
    make: (level) => localEngine(config, store, ladder, level, shared),
    memoryBack: (signal) => memoryBack(sensors, shared.clock, signal),
    onDeath: (level, fault, deaths) => governor.died(level, fault, deaths),
  });
  const remote = remoteEngineOf(config, engine, shared);
  const inference = inferenceOf(config, shared, { engine, ...(remote && { overflow: remote }) });
  const sensors: Sensors = sensorsOf(config, shared, {
    pids: () => engine.pids,
    level: () => engine.level ?? null,
    workMeter: () => inference.workMeter(),
  });
  const governor: Governor = new Governor({
    ...shared,
    limits: config.governor,
    sensors,
    engine,
    ladder: new GovernedLadder({
      ...shared,
      store,
      ladder,
      top,
      binary: engineBinary(config),
      reserve: config.governor.reserve,
      readings: () => sensors.latest(),
      gpuSharesRam: () => sensors.gpuSharesRam,
      loads: (id) => record.loads(id),
      rates: (id) => record.rates(id),
      onLoad: (load) => keep({ load }),
    }),
    setPace: (pace) => inference.setPace(pace),
    worked: inference.workMeter(),
    onState,
    onDecision: (decision, readings, at) => keep({ decision: rowOf(decision, readings, at) }),
  });
  return {
    inference,
    sensors,
    governor,
    parts: [sensors, engine, ...(remote ? [remote] : []), governor, inference],
    essential: [engine.name, ...(remote ? [remote.name] : [])],
    image: engine.image,
    interval: () => engine.interval,
    running: () => withOverflow(runningOf(ladder, engine), remote),
    view: () => ({ ...governor.view(), ladder: ladder.id, rungs: [...governor.rungs] }),
    ready: (signal) => firstReady([engine, ...(remote ? [remote] : [])], signal),
  };
}

function inferenceOf(
  { engine: { queue }, data }: Config,
  shared: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics },
  engines: Pick<ConstructorParameters<typeof Inference>[0], "engine" | "overflow">,
): Inference {
  return new Inference({ ...shared, ...engines, capacity: queue, data });
}

/** Where no level runs, and servers elsewhere answer, nobody is told that none does. */
function withOverflow(running: Running, remote: RemoteEngine | undefined): Running {
  return remote && remote.health().state === "ok" ? { ...running, reason: undefined } : running;
}

/** Resolves when the first is ready; rejects with what the first said where none is before the signal aborts. */
async function firstReady(
  engines: readonly { ready(signal: AbortSignal): Promise<void> }[],
  signal: AbortSignal,
): Promise<void> {
  const enough = new AbortController();
  const given = AbortSignal.any([signal, enough.signal]);
  try {
    await Promise.any(engines.map((engine) => engine.ready(given)));
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    enough.abort();
  }
}

const rowOf = (decision: Decision, readings: Readings, at: number): DecisionRow => ({
  ...decision,
  at,
  hottest: hottestOf(readings).celsius,
  simulated: readings.simulated,
  free: Object.fromEntries(readings.memories.map(({ id, free }) => [id, free])),
});
