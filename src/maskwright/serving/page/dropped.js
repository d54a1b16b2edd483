/** Dropped files, and the images in dropped folders. */

/**
 * @param {DataTransferItemList} items  They are gone after the first `await` of the caller.
 * @param {string} accept  Which files a file dialog offers: media types and endings.
 * @returns {Promise<{files: File[], skipped: string[]}>} Files as they are, of folders those that a file dialog offers
 *   or that have no ending, in the order of their names, and the names of the other files in folders.
 */
export async function filesOf(items, accept) {
  const given = [...items]
    .filter(({ kind }) => kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const found = { files: [], skipped: [], endings: accept.split(",").filter((part) => part.startsWith(".")) };
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
    else {
      const file = await new Promise((...both) => entry.file(...both));
      if (mayBeImage(file, found.endings)) found.files.push(file);
      else found.skipped.push(file.name);
    }
  }
}

function mayBeImage({ name, type }, endings) {
  const hasEnding = !/^[^.]*$|\.\d+$/.test(name); // DICOM files often have none, or numbers
  if (!hasEnding || type.startsWith("image/")) return true;
  return endings.some((ending) => name.toLowerCase().endsWith(ending));
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
