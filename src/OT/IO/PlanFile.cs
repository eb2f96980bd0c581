using OT.Numerics;
using OT.Results;

namespace OT.IO;

/// <summary>Writes plans for NumPy and SciPy, and reads them: <c>.npy</c> dense, <c>.npz</c> in compressed rows.</summary>
public static class PlanFile
{
    /// <summary>Writes a plan in the format that the file's extension names; a file that is there is replaced as a whole.</summary>
    /// <param name="path">
    /// <c>.npy</c>: all n × m masses, streamed row by row; <c>.npz</c>: the positive masses as <c>data, indices, indptr, shape</c>, which <c>scipy.sparse.load_npz</c> reads.
    /// </param>
    /// <param name="plan">Any plan; an implicit one is computed row by row, at O(nm).</param>
    /// <exception cref="ArgumentException">The extension is another one.</exception>
    public static void Save(string path, TransportPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        switch (Path.GetExtension(path))
        {
            case ".npz":
                NpzFile.Write(path, Of(plan.ToSparse()));
                break;
            case ".npy":
                AtomicFile.Write(path, stream => WriteDense(stream, plan));
                break;
            default:
                throw new ArgumentException($"{path}: a plan is written as .npy or .npz.", nameof(path));
        }
    }

    static void WriteDense(Stream stream, TransportPlan plan)
    {
        NpyFile.WriteHeader(stream, plan.Rows, plan.Columns);
        var row = new double[plan.Columns];
        for (int i = 0; i < plan.Rows; i++)
        {
            plan.Row(i, row);
            NpyFile.WriteValues(stream, row);
        }
    }

    /// <summary>Reads a plan: a dense <c>.npy</c>, or a <c>.npz</c> that holds compressed rows or a dense member <c>plan</c>.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no plan.</exception>
    /// <exception cref="ArgumentException">The extension is another one.</exception>
    public static TransportPlan Read(string path)
    {
        try
        {
            return Path.GetExtension(path) switch
            {
                ".npy" when NpyFile.Read(path) is { Shape.Length: 2, Text: null } array => new DensePlan(array.ToMatrix()),
                ".npy" => throw new InvalidDataException($"{path}: a plan has two axes."),
                ".npz" => Read(NpzFile.ReadAll(path), path)
                    ?? throw new InvalidDataException(
                        $"{path}: holds no plan: 'data, indices, indptr, shape' or a dense 'plan' is wanted."
                    ),
                _ => throw new ArgumentException($"{path}: a plan is read from .npy or .npz.", nameof(path)),
            };
        }
        catch (ArgumentException e) when (e.ParamName is "values")
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    internal static (string Name, NpyArray Array)[] Of(SparseMatrix plan) =>
        [
            ("data", new NpyArray(plan.Values.ToArray(), plan.NonZeros)),
            ("indices", new NpyArray(Array.ConvertAll(plan.ColumnIndices.ToArray(), column => (long)column), plan.NonZeros)),
            ("indptr", new NpyArray(plan.RowStarts.ToArray(), plan.Rows + 1)),
            ("shape", new NpyArray([(long)plan.Rows, plan.Columns], 2)),
            // With this entry SciPy's load_npz takes the archive for one of its own.
            ("format", new NpyArray("csr")),
        ];

    /// <summary>The plan in an archive's arrays, or null when there is none.</summary>
    internal static TransportPlan? Read(IReadOnlyDictionary<string, NpyArray> arrays, string name)
    {
        if (arrays.TryGetValue("plan", out NpyArray? dense))
        {
            return dense is { Shape.Length: 2, Text: null }
                ? new DensePlan(dense.ToMatrix())
                : throw new InvalidDataException($"{name}:plan: a plan has two axes.");
        }
        if (!arrays.ContainsKey("indptr"))
            return null;
        if (
            arrays.ContainsKey("format")
            && Text(arrays, "format", name) is var format
            && !string.Equals(format, "csr", StringComparison.Ordinal)
        )
            throw new InvalidDataException($"{name}: holds a '{format}' matrix: compressed rows ('csr') are wanted.");
        long[] shape = Integers(arrays, "shape", name);
        if (shape.Length != 2 || shape.Any(count => count is < 0 or > int.MaxValue))
            throw new InvalidDataException($"{name}:shape: two counts are wanted.");
        try
        {
            return new SparsePlan(
                new SparseMatrix(
                    (int)shape[0],
                    (int)shape[1],
                    Integers(arrays, "indptr", name),
                    Array.ConvertAll(Integers(arrays, "indices", name), column => checked((int)column)),
                    Required(arrays, "data", name).ToDoubles()
                )
            );
        }
        catch (Exception e) when (e is ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"{name}: not a plan in compressed rows: {e.Message}", e);
        }
    }

    internal static NpyArray Required(IReadOnlyDictionary<string, NpyArray> arrays, string member, string name) =>
        arrays.TryGetValue(member, out NpyArray? array)
            ? array
            : throw new InvalidDataException($"{name}: has no member '{member}': there are {string.Join(", ", arrays.Keys)}.");

    internal static double Number(IReadOnlyDictionary<string, NpyArray> arrays, string member, string name) =>
        Required(arrays, member, name) is { Count: 1, Text: null } array
            ? array.ToDoubles()[0]
            : throw new InvalidDataException($"{name}:{member}: one number is wanted.");

    internal static string Text(IReadOnlyDictionary<string, NpyArray> arrays, string member, string name) =>
        Required(arrays, member, name).Text ?? throw new InvalidDataException($"{name}:{member}: a text is wanted.");

    /// <summary>f and g, or null when neither is there.</summary>
    internal static Potentials? Potentials(IReadOnlyDictionary<string, NpyArray> arrays, string name)
    {
        if (!arrays.ContainsKey("f") && !arrays.ContainsKey("g"))
            return null;
        try
        {
            return new Potentials(Required(arrays, "f", name).ToDoubles(), Required(arrays, "g", name).ToDoubles());
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{name}: {e.Message}", e);
        }
    }

    internal static void CheckVersion(IReadOnlyDictionary<string, NpyArray> arrays, int known, string name)
    {
        double version = Number(arrays, "version", name);
        if (version > known)
            throw new InvalidDataException($"{name}: written by a later version ({version}): this one reads up to {known}.");
    }

    static long[] Integers(IReadOnlyDictionary<string, NpyArray> arrays, string member, string name) =>
        Required(arrays, member, name).Integers ?? throw new InvalidDataException($"{name}:{member}: integers are wanted.");
}
