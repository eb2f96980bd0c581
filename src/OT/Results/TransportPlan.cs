using OT.Numerics;

namespace OT.Results;

/// <summary>How much mass goes from each row to each column: an n × m table, stored or implicit.</summary>
public abstract class TransportPlan
{
    /// <summary>Number of sources, n.</summary>
    public abstract int Rows { get; }

    /// <summary>Number of targets, m.</summary>
    public abstract int Columns { get; }

    /// <summary>One row of masses.</summary>
    /// <param name="row">0 ≤ row &lt; <see cref="Rows"/>.</param>
    /// <param name="masses">Receives <see cref="Columns"/> masses.</param>
    public abstract void Row(int row, Span<double> masses);

    /// <summary><c>result = P v</c>; v has m values, the result n.</summary>
    public virtual void Apply(ReadOnlySpan<double> vector, Span<double> result)
    {
        Guard.Length(vector.Length, Columns, nameof(vector));
        Guard.Length(result.Length, Rows, nameof(result));
        var row = new double[Columns];
        for (int i = 0; i < Rows; i++)
        {
            Row(i, row);
            result[i] = System.Numerics.Tensors.TensorPrimitives.Dot(row, vector);
        }
    }

    /// <summary><c>result = Pᵀ u</c>; u has n values, the result m.</summary>
    public virtual void ApplyTranspose(ReadOnlySpan<double> vector, Span<double> result)
    {
        Guard.Length(vector.Length, Rows, nameof(vector));
        Guard.Length(result.Length, Columns, nameof(result));
        result.Clear();
        var row = new double[Columns];
        for (int i = 0; i < Rows; i++)
        {
            Row(i, row);
            System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(row, vector[i], result, result);
        }
    }

    /// <summary>Row sums P1 and column sums Pᵀ1.</summary>
    public virtual (double[] Rows, double[] Columns) Marginals()
    {
        var rowSums = new double[Rows];
        var columnSums = new Compensated[Columns];
        var row = new double[Columns];
        for (int i = 0; i < Rows; i++)
        {
            Row(i, row);
            rowSums[i] = Summation.Sum(row);
            for (int j = 0; j < row.Length; j++)
                columnSums[j].Add(row[j]);
        }
        return (rowSums, Array.ConvertAll(columnSums, sum => sum.Value));
    }

    /// <summary>The whole plan as a dense matrix. Memory: 8nm bytes.</summary>
    public virtual Matrix ToDense()
    {
        var values = new double[Guard.ArrayLength(Rows, Columns, "a dense plan")];
        for (int i = 0; i < Rows; i++)
            Row(i, values.AsSpan(i * Columns, Columns));
        return new Matrix(Rows, Columns, values);
    }

    /// <summary>The entries above a threshold, in compressed rows. With threshold 0, every positive entry.</summary>
    /// <param name="threshold">Entries of this size or smaller are left out; 0 by default.</param>
    public virtual SparseMatrix ToSparse(double threshold = 0)
    {
        Guard.NonNegative(threshold);
        var starts = new long[Rows + 1];
        var columns = new List<int>();
        var values = new List<double>();
        var row = new double[Columns];
        for (int i = 0; i < Rows; i++)
        {
            Row(i, row);
            for (int j = 0; j < row.Length; j++)
            {
                if (row[j] > threshold)
                {
                    columns.Add(j);
                    values.Add(row[j]);
                }
            }
            starts[i + 1] = values.Count;
        }
        return new SparseMatrix(Rows, Columns, starts, [.. columns], [.. values]);
    }
}
