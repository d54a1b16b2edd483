/**
 * The image in OpenSeadragon, loaded in tiles, and a canvas for the mask over it: zooming, panning, comparison
 * of image and mask, and pointer events of the tools.
 */

import { find, show } from "./dom.js";
import { drawMask } from "./overlay.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const SMOOTH_UP_TO = 3; // screen pixels per image pixel, above which image pixels are shown as squares
const FIT_AIR = 0.02; // margin around the whole image, as a fraction of its longer side
const LEAST_AROUND = 40; // minimum side of the view around a box, px of the image
const ZOOM_STEP = 1.5;
const PAN_STEP = 60; // px

/**
 * @param {object} hooks  mask(), look(): arguments of `drawMask`, or null; paint: handlers of a tool,
 *   {active(), begin(point, event), move(point), end(), cancel()}; point(point|null): pointer position.
 */
export function createViewer(hooks) {
  const stage = find("stage");
  const canvas = find("overlay");
  const context = canvas.getContext("2d");
  const handle = find("swipe");
  leaveStylesAlone();
  // It warns of tiles that come when another image was chosen meanwhile.
  OpenSeadragon.console = { ...console, warn: () => {} };
  const viewer = OpenSeadragon({
    element: find("viewer"),
    drawer: "canvas",
    showNavigationControl: false,
    keyboardNavEnabled: false,
    tabIndex: -1,
    animationTime: calm.matches ? 0 : 0.3,
    springStiffness: 9,
    immediateRender: true,
    visibilityRatio: 0.3,
    minZoomImageRatio: 0.4,
    maxZoomPixelRatio: 32,
    zoomPerScroll: 1.25,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false },
    gestureSettingsPen: { clickToZoom: false },
    gestureSettingsTouch: { dblClickToZoom: false, dblClickDragToZoom: false, flickEnabled: !calm.matches },
  });
  let size = null; // of the image, px
  let split = 0.5;
  let comparing = false;
  let box = null; // px of the image
  let planned = false;
  let isWhole = true; // whether the whole image is shown, until the user zooms or pans

  function toImage(x, y) {
    const { width, height } = stage.getBoundingClientRect();
    const bounds = viewer.viewport.getBounds(true);
    return {
      x: (bounds.x + (x / width) * bounds.width) * size.width,
      y: (bounds.y + (y / height) * bounds.height) * size.width,
    };
  }

  /** Screen pixels per image pixel. */
  function scale() {
    if (!size || !viewer.isOpen()) return 1;
    return stage.clientWidth / (viewer.viewport.getBounds(true).width * size.width);
  }

  function redraw() {
    planned = false;
    const ratio = Math.min(devicePixelRatio, 2);
    const [width, height] = [Math.round(stage.clientWidth * ratio), Math.round(stage.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.clearRect(0, 0, width, height);
    if (!size || !viewer.isOpen()) return;
    const corner = toImage(0, 0);
    const perPixel = 1 / (scale() * ratio);
    const mask = hooks.mask();
    if (mask) {
      const reduced = 1 / mask.scale;
      const from = comparing ? Math.round(split * width) : 0;
      const view = {
        left: corner.x * reduced,
        top: corner.y * reduced,
        perPixel: perPixel * reduced,
        ratio,
        from,
      };
      drawMask(context, mask, view, hooks.look());
    }
    if (box) outlineBox(corner, perPixel, ratio);
  }

  function outlineBox(corner, perPixel, ratio) {
    const [x, y, width, height] = box;
    const place = [(x - corner.x) / perPixel, (y - corner.y) / perPixel, width / perPixel, height / perPixel];
    for (const [color, line] of [
      ["#000000", 4],
      ["#ffffff", 2],
    ]) {
      context.strokeStyle = color;
      context.lineWidth = line * ratio;
      context.strokeRect(...place);
    }
  }

  function plan() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(redraw);
  }

  function sharpen() {
    if (!size) return;
    const smooth = scale() < SMOOTH_UP_TO;
    viewer.world.getItemAt(0)?.setImageSmoothingEnabled?.(smooth);
    viewer.drawer.setImageSmoothingEnabled(smooth);
  }

  viewer.addHandler("update-viewport", redraw);
  viewer.addHandler("zoom", sharpen);
  /** Show the whole image with a margin. */
  function fit(atOnce) {
    if (!size || !viewer.isOpen()) return;
    isWhole = true;
    const air = (FIT_AIR * Math.max(size.width, size.height)) / size.width;
    const height = size.height / size.width;
    viewer.viewport.fitBounds(
      new OpenSeadragon.Rect(-air, -air, 1 + 2 * air, height + 2 * air),
      atOnce || calm.matches,
    );
  }

  function zoomBy(factor) {
    if (!size || !viewer.isOpen()) return;
    isWhole = false;
    viewer.viewport.zoomBy(factor, undefined, calm.matches).applyConstraints();
  }

  /** Zoom to the box. */
  function frameBox(atOnce) {
    const [x, y, width, height] = box;
    isWhole = false;
    const around = Math.max(width, height, LEAST_AROUND);
    const rectangle = [x - around / 2, y - around / 2, width + around, height + around];
    viewer.viewport.fitBounds(viewer.viewport.imageToViewportRectangle(...rectangle), atOnce || calm.matches);
  }

  viewer.addHandler("open", () => {
    if (box) frameBox(true);
    else fit(true);
    sharpen();
    plan();
  });
  viewer.addHandler("resize", () => {
    if (isWhole) requestAnimationFrame(() => isWhole && fit(true));
    plan();
  });
  for (const event of ["canvas-scroll", "canvas-pinch"]) viewer.addHandler(event, () => (isWhole = false));

  /* Painting tools replace panning by dragging. Two fingers zoom, Alt pans. */
  let painting = false;
  const at = (event) => toImage(event.position.x, event.position.y);
  viewer.addHandler("canvas-press", (event) => {
    stage.focus({ preventScroll: true });
    if (!size || !hooks.paint.active() || event.originalEvent.altKey) return;
    painting = true;
    hooks.paint.begin(at(event), event.originalEvent);
  });
  viewer.addHandler("canvas-drag", (event) => {
    if (!painting) {
      isWhole = false;
      return;
    }
    event.preventDefaultAction = true;
    hooks.paint.move(at(event));
  });
  viewer.addHandler("canvas-release", () => {
    if (painting) hooks.paint.end();
    painting = false;
  });
  viewer.addHandler("canvas-pinch", () => {
    if (painting) hooks.paint.cancel();
    painting = false;
  });
  viewer.addHandler("canvas-drag-end", (event) => {
    if (hooks.paint.active()) event.preventDefaultAction = true;
  });
  stage.addEventListener("pointermove", (event) => {
    const { left, top } = stage.getBoundingClientRect();
    hooks.point(size ? { ...toImage(event.clientX - left, event.clientY - top), scale: scale() } : null);
  });
  stage.addEventListener("pointerleave", () => hooks.point(null));

  function moveSplit(share) {
    split = Math.min(1, Math.max(0, share));
    handle.style.left = `${100 * split}%`;
    handle.setAttribute("aria-valuenow", Math.round(100 * split));
    plan();
  }

  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
    handle.focus();
  });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const { left, width } = stage.getBoundingClientRect();
    moveSplit((event.clientX - left) / width);
  });
  handle.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[
      event.key
    ];
    if (step === undefined) return;
    moveSplit(split + step);
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    redraw: plan,
    scale,
    toImage,

    /** Show an image, at a box in its pixels if there is one, or nothing (null). */
    open(image, at = null) {
      box = at;
      size = image ? { width: image.width, height: image.height } : null;
      if (!image) {
        viewer.close();
        plan();
        return;
      }
      const maxLevel = Math.ceil(Math.log2(Math.max(size.width, size.height, 1)));
      viewer.open({
        ...size,
        tileSize: image.tile,
        tileOverlap: 0,
        minLevel: Math.min(maxLevel, 8), // smaller levels are not worth a request
        maxLevel,
        getTileUrl: (level, column, row) => `api/images/${image.id}/tiles/${level}/${column}_${row}.jpg`,
      });
    },

    zoom: (direction) => zoomBy(ZOOM_STEP ** direction),
    fit: () => fit(false),
    actualSize: () => zoomBy(1 / scale()),
    pan(right, down) {
      if (!size) return;
      isWhole = false;
      const step = viewer.viewport.deltaPointsFromPixels(
        new OpenSeadragon.Point(right * PAN_STEP, down * PAN_STEP),
      );
      viewer.viewport.panBy(step, calm.matches).applyConstraints();
    },

    /** Outline a box in pixels of the image, and zoom to it. */
    lookAt(place) {
      box = place;
      if (viewer.isOpen()) frameBox(false);
      plan();
    },

    compare(isOn) {
      comparing = isOn;
      show(handle, isOn);
      moveSplit(split);
    },
  };
}

/**
 * OpenSeadragon inserts a style sheet unless an element with this attribute exists; the content security policy
 * forbids that. This element has the attribute but is not a style sheet.
 */
function leaveStylesAlone() {
  const stand = document.createElementNS("urn:maskwright", "style");
  stand.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(stand);
}
