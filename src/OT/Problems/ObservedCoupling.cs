using System.Globalization;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Problems;

/// <summary>What was seen of a transport: matched pairs, or a table of masses. Scaled to mass 1; its marginals are its own.</summary>
public sealed class ObservedCoupling
{
    /// <summary>L1 error of the marginals, relative to the mass, that an observed coupling may have beside stated ones.</summary>
    const double MarginalSlack = 1e-6;

    ObservedCoupling(SparseMatrix masses, int? pairs)
    {
        Mass = Summation.Sum(masses.Values);
        if (!(Mass > 0) || double.IsInfinity(Mass))
            throw new ArgumentException(
                Text($"The observed coupling has mass {Mass}: it must be positive and finite."),
                nameof(masses)
            );
        var shares = new double[masses.NonZeros];
        TensorPrimitives.Divide(masses.Values, Mass, shares);
        Masses = new SparseMatrix(
            masses.Rows,
            masses.Columns,
            masses.RowStarts.ToArray(),
            masses.ColumnIndices.ToArray(),
            shares
        );
        var rows = new double[masses.Rows];
        var columns = new Compensated[masses.Columns];
        for (int i = 0; i < rows.Length; i++)
        {
            ReadOnlySpan<double> values = Masses.RowValues(i);
            rows[i] = Summation.Sum(values);
            for (int k = 0; k < values.Length; k++)
                columns[Masses.RowColumns(i)[k]].Add(values[k]);
        }
        (A, B) = (Measure.Of(rows), Measure.Of(Array.ConvertAll(columns, sum => sum.Value)));
        Pairs = pairs;
    }

    /// <summary>The masses, n × m, with sum 1.</summary>
    public SparseMatrix Masses { get; }

    /// <summary>Row sums, n weights with sum 1.</summary>
    public Measure A { get; }

    /// <summary>Column sums, m weights with sum 1.</summary>
    public Measure B { get; }

    /// <summary>The mass as it was given.</summary>
    public double Mass { get; }

    /// <summary>How many matched pairs were sampled; null where masses were given, which cannot be resampled.</summary>
    public int? Pairs { get; }

    /// <summary><c>count</c> pairs: source k with target k, 1/count each.</summary>
    public static ObservedCoupling OfPairs(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        int[] order = [.. Enumerable.Range(0, count)];
        return OfPairs(order, order, count, count);
    }

    /// <summary>Pairs of a source and a target, each of the same mass; one may occur often.</summary>
    /// <param name="sources">Index of the source of each pair.</param>
    /// <param name="targets">Index of the target of each pair.</param>
    /// <param name="rows">n.</param>
    /// <param name="columns">m.</param>
    /// <exception cref="ArgumentException">No pair, unequal lengths, or an index out of range.</exception>
    public static ObservedCoupling OfPairs(ReadOnlySpan<int> sources, ReadOnlySpan<int> targets, int rows, int columns)
    {
        if (sources.IsEmpty)
            throw new ArgumentException("There are no pairs: at least one is needed.", nameof(sources));
        Guard.Length(targets.Length, sources.Length, nameof(targets));
        var ones = new double[sources.Length];
        Array.Fill(ones, 1);
        return new ObservedCoupling(SparseMatrix.FromTriples(rows, columns, sources, targets, ones), sources.Length);
    }

    /// <summary>A table of masses; zeros are not stored.</summary>
    /// <param name="masses">n × m, finite and not negative, with a positive sum.</param>
    /// <param name="a">Row sums that the table claims to have, in its own units; not checked when left out.</param>
    /// <param name="b">Column sums likewise.</param>
    /// <exception cref="ArgumentException">A mass is negative or not finite, all are 0, or the marginals are missed by more than 1e-6 of the mass.</exception>
    public static ObservedCoupling Of(Matrix masses, Measure? a = null, Measure? b = null)
    {
        ArgumentNullException.ThrowIfNull(masses);
        int m = masses.Columns;
        var starts = new long[masses.Rows + 1];
        var columns = new List<int>();
        var values = new List<double>();
        for (int i = 0; i < masses.Rows; i++)
        {
            ReadOnlySpan<double> row = masses.Row(i);
            for (int j = 0; j < m; j++)
            {
                if (row[j] == 0)
                    continue;
                columns.Add(j);
                values.Add(row[j]);
            }
            starts[i + 1] = values.Count;
        }
        return Of(new SparseMatrix(masses.Rows, m, starts, [.. columns], [.. values]), a, b);
    }

    /// <inheritdoc cref="Of(Matrix, Measure?, Measure?)"/>
    public static ObservedCoupling Of(SparseMatrix masses, Measure? a = null, Measure? b = null)
    {
        ArgumentNullException.ThrowIfNull(masses);
        for (int i = 0; i < masses.Rows; i++)
        {
            ReadOnlySpan<double> row = masses.RowValues(i);
            for (int k = 0; k < row.Length; k++)
            {
                if (!(row[k] >= 0) || double.IsInfinity(row[k]))
                    throw new ArgumentException(
                        Text(
                            $"The observed coupling has mass {row[k]} in row {i}, column {masses.RowColumns(i)[k]}: masses must be finite and not negative."
                        ),
                        nameof(masses)
                    );
            }
        }
        var coupling = new ObservedCoupling(masses, null);
        coupling.CheckMarginal(a, coupling.A, "row", nameof(a));
        coupling.CheckMarginal(b, coupling.B, "column", nameof(b));
        return coupling;
    }

    void CheckMarginal(Measure? stated, Measure own, string side, string name)
    {
        if (stated is null)
            return;
        Guard.Length(stated.Count, own.Count, name);
        double error = 0;
        int worst = 0;
        for (int i = 0; i < own.Count; i++)
        {
            error += Math.Abs(Miss(i));
            worst = Math.Abs(Miss(i)) > Math.Abs(Miss(worst)) ? i : worst;
        }
        if (!(error <= MarginalSlack * Mass))
            throw new ArgumentException(
                Text(
                    $"The observed coupling misses its {side} marginal by {error:G6} in sum, most in {side} {worst}: it has {Mass * own.Weights[worst]:G6} for {stated.Weights[worst]:G6}. At most {MarginalSlack:G1} of its mass {Mass:G6} is allowed."
                ),
                name
            );

        double Miss(int i) => (Mass * own.Weights[i]) - stated.Weights[i];
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
