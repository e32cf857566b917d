import type { Config } from "../contract/config.ts";
import type { CameraFeed, Feed } from "../contract/config-feeds.ts";
import type { Watch } from "../contract/config-watches.ts";
import type { Level } from "../contract/models.ts";
import { imageTokens } from "../inference/engine-args.ts";
import type { Issue, Path } from "../kernel/config-file.ts";
import { isPerchError } from "../kernel/errors.ts";
import { silentLogger } from "../kernel/logger.ts";
import { chosenLevel, modelStoreOf } from "../model/chosen-level.ts";

/** Closest and farthest that two pictures of one question may be apart, ms. */
const SPACING = { least: 50, most: 10_000 } as const;
/** Tokens around each picture that say where it begins and ends. */
const MARKS = 2;

/** Of a watch's pictures: whether its camera gives them, and the level's context holds them. */
export function frameIssues(
  watch: Watch,
  feeds: readonly Feed[],
  level: Level | undefined,
  path: Path,
): Issue[] {
  return [
    ...spacingIssues(watch, path),
    ...(watch.frames > 1 ? cameraIssues(watch, feeds, path) : []),
    ...(watch.frames > 1 && level ? contextIssues(watch, level, path) : []),
  ];
}

function spacingIssues({ spacing }: Watch, path: Path): Issue[] {
  if (spacing >= SPACING.least && spacing <= SPACING.most) return [];
  return [{ path: [...path, "spacing"], message: "must be from 50ms to 10s" }];
}

function cameraIssues({ feeds: ids, spacing }: Watch, feeds: readonly Feed[], path: Path): Issue[] {
  const asked = feeds.filter(({ id }) => ids.includes(id));
  // Of a feed that is not there something else is said.
  if (asked.length < ids.length) return [];
  const camera = asked.find((feed): feed is CameraFeed => feed.kind === "camera");
  if (!camera)
    return [{ path: [...path, "frames"], message: "must be 1: only of a camera there are pictures" }];
  const period = Math.ceil(1000 / camera.fps);
  if (spacing >= period) return [];
  const message = `the camera ${camera.id} has fps: ${camera.fps}, so it must be ${period}ms or more, unless that is raised`;
  return [{ path: [...path, "spacing"], message }];
}

function contextIssues({ frames }: Watch, level: Level, path: Path): Issue[] {
  const { most } = imageTokens(level);
  if (frames * (most + MARKS) < level.context) return [];
  const message = `${frames} pictures of ${most} tokens do not fit into the ${level.context} tokens that the level ${level.id} holds`;
  return [{ path: [...path, "frames"], message }];
}

/** The level that is configured. Undefined where there is none: that is told when the engine is to start, and not the matter here. */
export function levelOf(config: Config): Level | undefined {
  try {
    return chosenLevel(config, modelStoreOf(config, silentLogger)).level;
  } catch (error) {
    if (isPerchError(error, "CONFIG_INVALID")) return undefined;
    throw error;
  }
}
