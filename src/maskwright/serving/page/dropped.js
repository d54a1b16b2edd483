/** Dropped files, and the images in dropped folders. */

const IMAGE = /\.(png|jpe?g|jp2|tiff?|webp|bmp|gif|p[gp]m|svs|ndpi|scn|bif)$/i;

/**
 * @param {DataTransferItemList} items  They are gone after the first `await` of the caller.
 * @returns {Promise<{files: File[], skipped: number}>} Files as they are, images of folders in the order of their
 *   names, and the number of other files in folders.
 */
export async function filesOf(items) {
  const given = [...items]
    .filter(({ kind }) => kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const found = { files: [], skipped: 0 };
  for (const { entry, file } of given) {
    if (entry?.isDirectory) await addFolder(entry, found);
    else if (file) found.files.push(file);
  }
  return found;
}

async function addFolder(folder, found) {
  const inside = await contentOf(folder);
  inside.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  for (const entry of inside) {
    if (entry.isDirectory) await addFolder(entry, found);
    else if (IMAGE.test(entry.name)) found.files.push(await new Promise((...both) => entry.file(...both)));
    else found.skipped++;
  }
}

/** All entries of a folder, which a reader gives a hundred at a time. */
async function contentOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const some = await new Promise((...both) => reader.readEntries(...both));
    if (some.length === 0) return entries;
    entries.push(...some);
  }
}
