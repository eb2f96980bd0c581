using System.Globalization;
using System.Text;
using OT.IO;
using OT.Numerics;
using OT.Results;

namespace OT.Pairwise;

/// <summary>A matrix of distances, entry by entry with its status. Owns managed memory only.</summary>
/// <remarks>
/// Status: <see cref="SolverStatus.Cancelled"/> or <see cref="SolverStatus.TimeLimit"/> where entries of this part are missing, else the gravest of its entries.
/// Iterations: entries computed in this run.
/// </remarks>
public sealed class PairwiseResult : SolverResult
{
    readonly Entries _entries;
    Matrix? _matrix;

    internal PairwiseResult(Entries entries) => _entries = entries;

    /// <summary>K.</summary>
    public int Rows => _entries.Pairs.Rows;

    /// <summary>L.</summary>
    public int Columns => _entries.Pairs.Columns;

    /// <summary>
    /// The absolute ε of all entries, in cost units; NaN for quantities without one. A relative one is resolved once, on the costs between all points of the rows and all
    /// points of the columns (shared costs: on these), for entries of different ε could not be compared.
    /// </summary>
    public double Epsilon { get; init; } = double.NaN;

    /// <summary>K × L values; NaN where an entry is missing or has none. Symmetric to the last bit where <see cref="PairwiseProblem.IsSymmetric"/>.</summary>
    public Matrix Values => _matrix ??= Make();

    /// <summary>Entries to compute: those on one side of the diagonal of a symmetric matrix, and of every part.</summary>
    public int Pairs => _entries.Pairs.Count;

    /// <summary>Entries of <see cref="Pairs"/> that are not computed: those of other parts, and what came after a stop.</summary>
    public int Missing => _entries.Count(null);

    /// <summary>The largest error of a converged entry; 0 where there is none. What did not converge is counted by <see cref="Count"/>.</summary>
    public double WorstError => _entries.WorstError();

    /// <summary>Number of computed entries with a status.</summary>
    public int Count(SolverStatus status) => _entries.Count(status);

    /// <summary>One entry, or null where it was not computed.</summary>
    /// <param name="row">0 ≤ row &lt; <see cref="Rows"/>.</param>
    /// <param name="column">0 ≤ column &lt; <see cref="Columns"/>.</param>
    public PairwiseEntry? this[int row, int column] => _entries[row, column];

    /// <summary>
    /// Writes the matrix, the file being replaced as a whole: <c>.csv</c> K lines of L numbers that read back to the same bits, <c>nan</c> where there is none; <c>.npy</c> doubles;
    /// <c>.npz</c> with <c>values</c>, <c>errors</c> and <c>status</c>, the number of its <see cref="SolverStatus"/> or −1 for a missing entry.
    /// </summary>
    /// <exception cref="ArgumentException">Another extension.</exception>
    /// <exception cref="IOException">The file cannot be written; an older one is left as it was.</exception>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        Action<Stream> write = Path.GetExtension(path) switch
        {
            ".csv" => WriteText,
            ".npy" => stream => NpyFile.Write(stream, new NpyArray(Values)),
            ".npz" => stream =>
                NpzFile.Write(
                    stream,
                    ("values", new NpyArray(Values)),
                    ("errors", new NpyArray(Table(entry => entry?.Error ?? double.NaN), Rows, Columns)),
                    ("status", new NpyArray(Table(entry => entry is { } e ? (long)e.Status : -1), Rows, Columns))
                ),
            _ => throw new ArgumentException($"{path}: a matrix of distances is .csv, .npy or .npz.", nameof(path)),
        };
        AtomicFile.Write(path, write);
    }

    Matrix Make() => new(Rows, Columns, Table(entry => entry?.Value ?? double.NaN));

    T[] Table<T>(Func<PairwiseEntry?, T> part)
    {
        var table = new T[Guard.ArrayLength(Rows, Columns, "a matrix of distances")];
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
                table[(i * Columns) + j] = part(this[i, j]);
        }
        return table;
    }

    void WriteText(Stream stream)
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), bufferSize: 1 << 16, leaveOpen: true);
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                double value = Values[i, j];
                writer.Write(j == 0 ? "" : ",");
                writer.Write(double.IsNaN(value) ? "nan" : value.ToString("R", CultureInfo.InvariantCulture));
            }
            writer.Write('\n');
        }
    }
}
