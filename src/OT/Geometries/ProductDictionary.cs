using OT.Numerics;

namespace OT.Geometries;

/// <summary>Terms that are products of coordinates, up to functions of x and of y alone: <c>x_a y_b</c>, or <c>(x_k − y_k)²</c>.</summary>
internal sealed class ProductDictionary : CostDictionary
{
    public ProductDictionary(Matrix source, Matrix target, bool squares)
        : base(
            source.Rows,
            target.Rows,
            squares ? source.Columns : Guard.ArrayLength(source.Columns, target.Columns, "a parameter")
        )
    {
        ArgumentOutOfRangeException.ThrowIfZero(source.Rows, nameof(source));
        ArgumentOutOfRangeException.ThrowIfZero(target.Rows, nameof(target));
        if (source.Columns == 0 || target.Columns == 0 || (squares && source.Columns != target.Columns))
        {
            throw new ArgumentException(
                $"Source points have {source.Columns} coordinates, target points {target.Columns}: the counts must be positive{(squares ? " and equal" : "")}.",
                nameof(target)
            );
        }
        Guard.Finite(source.Values, nameof(source));
        Guard.Finite(target.Values, nameof(target));
        (Source, Target, Squares) = (source, target, squares);
    }

    public Matrix Source { get; }

    public Matrix Target { get; }

    /// <summary>Whether the terms are squared differences.</summary>
    public bool Squares { get; }

    public override (int Rows, int Columns)? Shape => Squares ? null : (Source.Columns, Target.Columns);

    public override Geometry Cost(ReadOnlySpan<double> theta)
    {
        Check(theta);
        if (!Squares)
            return new BilinearCost(Source, new Matrix(Source.Columns, Target.Columns, theta.ToArray()), Target);
        double[] weights = theta.ToArray();
        Geometry? gain = Scaled(weights, 1),
            loss = Scaled(weights, -1);
        return (gain, loss) switch
        {
            (null, null) => new PointCloud(new Matrix(Rows, 1), new Matrix(Columns, 1)),
            (not null, null) => gain,
            (null, not null) => new CostSum((-1, loss)),
            _ => new CostSum((1, gain), (-1, loss)),
        };
    }

    /// <summary>The part of one sign: a cloud whose coordinates are scaled by √|θ_k|; null where θ has none.</summary>
    PointCloud? Scaled(double[] theta, int sign)
    {
        int[] kept = [.. Enumerable.Range(0, Count).Where(k => sign * theta[k] > 0)];
        Matrix Stretch(Matrix points)
        {
            var values = new double[Guard.ArrayLength(points.Rows, kept.Length, "points")];
            for (int i = 0; i < points.Rows; i++)
            {
                for (int k = 0; k < kept.Length; k++)
                    values[(i * kept.Length) + k] = Math.Sqrt(Math.Abs(theta[kept[k]])) * points[i, kept[k]];
            }
            return new Matrix(points.Rows, kept.Length, values);
        }
        return kept.Length == 0 ? null : new PointCloud(Stretch(Source), Stretch(Target));
    }

    public override CostDictionary Select(ReadOnlySpan<int> rows, ReadOnlySpan<int> columns) =>
        new ProductDictionary(Source.SelectRows(rows), Target.SelectRows(columns), Squares);
}
