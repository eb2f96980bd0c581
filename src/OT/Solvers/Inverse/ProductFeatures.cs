using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Inverse;

/// <summary>Products of coordinates, centred: <c>s (x_a − x̄_a)(y_b − ȳ_b)</c>; s = 1, or −2 for squared differences, whose squares are functions of x and of y alone.</summary>
internal sealed class ProductFeatures : FeatureSet
{
    readonly ProductDictionary _dictionary;
    readonly Matrix _x; // n × d, centred
    readonly Matrix _y; // d' × m, centred
    readonly double _scale;
    readonly (double Raw, double Centred, double Deviation)[] _sizesX;
    readonly (double Raw, double Centred, double Deviation)[] _sizesY;

    public ProductFeatures(ProductDictionary dictionary, Measure a, Measure b)
        : base(dictionary.Count, a, b)
    {
        _dictionary = dictionary;
        _scale = dictionary.Squares ? -2 : 1;
        _x = Centred(dictionary.Source, a);
        _y = Centred(dictionary.Target, b).Transpose();
        _sizesX = Sizes(dictionary.Source, _x.Transpose(), a);
        _sizesY = Sizes(dictionary.Target, _y, b);
        CheckSizes();
        Gram = !dictionary.Squares && Count > LargestGram ? null : ProductGram();
    }

    /// <summary>Terms above which the Gram matrix of products is kept as its two factors.</summary>
    const int LargestGram = 600;

    /// <summary>A coordinate that varies by less of its size is constant, and what varies is the rounding of its mean.</summary>
    const double Rounding = 3.6e-15; // 32 · 2⁻⁵³

    public override double[][]? Gram { get; }

    public override int BasisCount => _y.Rows;

    int Source(int term) => _dictionary.Squares ? term : term / _y.Rows;

    public override int Basis(int term) => _dictionary.Squares ? term : term % _y.Rows;

    public override double Coefficient(int row, int term) => _scale * _x.Values[(row * _x.Columns) + Source(term)];

    public override ReadOnlySpan<double> BasisRow(int basis, int row, Span<double> scratch) => _y.Row(basis);

    public override (double Raw, double Centred) Magnitude(int term)
    {
        (double x, double centredX, _) = _sizesX[Source(term)];
        (double y, double centredY, _) = _sizesY[Basis(term)];
        return (Math.Abs(_scale) * x * y, Math.Abs(_scale) * centredX * centredY);
    }

    public override double Deviation(int term) =>
        Math.Abs(_scale) * _sizesX[Source(term)].Deviation * _sizesY[Basis(term)].Deviation;

    static (double Raw, double Centred, double Deviation)[] Sizes(Matrix points, Matrix centred, Measure weights)
    {
        var sizes = new (double, double, double)[centred.Rows];
        var squares = new double[centred.Columns];
        for (int k = 0; k < sizes.Length; k++)
        {
            double raw = 0;
            for (int i = 0; i < points.Rows; i++)
                raw = Math.Max(raw, Math.Abs(points[i, k]));
            TensorPrimitives.Multiply(centred.Row(k), centred.Row(k), squares);
            double deviation = Math.Sqrt(Summation.Dot(weights.Weights, squares));
            sizes[k] = (raw, Math.Abs(TensorPrimitives.MaxMagnitude(centred.Row(k))), deviation > Rounding * raw ? deviation : 0);
        }
        return sizes;
    }

    /// <summary><c>xᵀMy = |u − v|²/2 − |u|²/2 − |v|²/2</c> with <c>u = −s Mᵀx</c> and <c>v = y/s</c>: half squared distances of two clouds, which every back end streams.</summary>
    public override ShiftedCost Cost(ReadOnlySpan<double> theta)
    {
        int d = _x.Columns,
            e = _y.Rows;
        var m = new double[d * e];
        for (int k = 0; k < Count; k++)
            m[(Source(k) * e) + Basis(k)] = _scale * theta[k];
        int[] rows = [.. Enumerable.Range(0, d).Where(a => m.AsSpan(a * e, e).ContainsAnyExcept(0.0))],
            columns = [.. Enumerable.Range(0, e).Where(b => Enumerable.Range(0, d).Any(a => m[(a * e) + b] != 0))];
        if (rows.Length == 0)
        {
            var nothing = new PointCloud(new Matrix(_x.Rows, 1), new Matrix(_y.Columns, 1), GroundCost.HalfSquaredEuclidean);
            return new ShiftedCost(nothing, new double[_x.Rows], new double[_y.Columns]);
        }
        // In as few dimensions as M has rows or columns.
        Matrix x = Columns(_x, rows),
            y = Columns(_y.Transpose(), columns);
        var part = new Matrix(rows.Length, columns.Length, [.. rows.SelectMany(a => columns.Select(b => m[(a * e) + b]))]);
        (Matrix u, Matrix v) =
            columns.Length <= rows.Length ? (Products.Times(x, part), y) : (x, Products.TimesTransposed(y, part));
        double s = Math.Sqrt(Size(v) / Size(u)); // sizes that match keep both squares, and what cancels with them, small
        if (!double.IsFinite(s) || s == 0)
            s = 1;
        (u, v) = (Scaled(u, -s), Scaled(v, 1 / s));
        return new ShiftedCost(new PointCloud(u, v, GroundCost.HalfSquaredEuclidean), HalfSquares(u), HalfSquares(v));
    }

    public override (double[] Means, double[] RowSums)? Means(ICostOperator op, in GibbsPlan plan)
    {
        int n = _x.Rows,
            m = _y.Columns,
            e = _y.Rows;
        var vectors = new double[(e + 1) * m];
        _y.Values.CopyTo(vectors);
        vectors.AsSpan(e * m).Fill(1);
        var products = new double[(e + 1) * n];
        op.ApplyPlan(plan, vectors, products);
        Matrix sums = Products.TimesTransposed(_x.Transpose(), new Matrix(e, n, products[..(e * n)]));
        var means = new double[Count];
        for (int k = 0; k < Count; k++)
            means[k] = _scale * sums[Source(k), Basis(k)];
        return (means, products[(e * n)..]);
    }

    double[][] ProductGram()
    {
        (Matrix ca, Matrix cb) = Covariances();
        var gram = new double[Count][];
        for (int k = 0; k < Count; k++)
        {
            gram[k] = new double[Count];
            for (int l = 0; l < Count; l++)
                gram[k][l] = _scale * _scale * ca[Source(k), Source(l)] * cb[Basis(k), Basis(l)];
        }
        return gram;
    }

    /// <summary>Standard deviations of the coordinates of x.</summary>
    public double[] DeviationsX => Array.ConvertAll(_sizesX, size => size.Deviation);

    /// <summary>Standard deviations of the coordinates of y.</summary>
    public double[] DeviationsY => Array.ConvertAll(_sizesY, size => size.Deviation);

    /// <summary>Covariances of x under a and of y under b: the Gram matrix of all products is their Kronecker product.</summary>
    public (Matrix X, Matrix Y) Covariances() => (Covariance(_x.Transpose(), A), Covariance(_y, B));

    static Matrix Covariance(Matrix coordinates, Measure weights)
    {
        int d = coordinates.Rows;
        var values = new double[d * d];
        var weighted = new double[coordinates.Columns];
        for (int a = 0; a < d; a++)
        {
            TensorPrimitives.Multiply(coordinates.Row(a), weights.Weights, weighted);
            for (int b = 0; b < d; b++)
                values[(a * d) + b] = TensorPrimitives.Dot(weighted, coordinates.Row(b));
        }
        return new Matrix(d, d, values);
    }

    static Matrix Centred(Matrix points, Measure weights)
    {
        var centred = points.Values.ToArray();
        int d = points.Columns;
        for (int k = 0; k < d; k++)
        {
            Compensated mean = default;
            for (int i = 0; i < points.Rows; i++)
                mean.Add(weights.Weights[i] * points[i, k]);
            for (int i = 0; i < points.Rows; i++)
                centred[(i * d) + k] -= mean.Value;
        }
        return new Matrix(points.Rows, d, centred);
    }

    static Matrix Columns(Matrix points, int[] kept)
    {
        var values = new double[points.Rows * kept.Length];
        for (int i = 0; i < points.Rows; i++)
        {
            for (int k = 0; k < kept.Length; k++)
                values[(i * kept.Length) + k] = points[i, kept[k]];
        }
        return new Matrix(points.Rows, kept.Length, values);
    }

    static double Size(Matrix points) => TensorPrimitives.Norm(points.Values) / Math.Sqrt(points.Rows);

    static Matrix Scaled(Matrix points, double factor)
    {
        var values = new double[points.Values.Length];
        TensorPrimitives.Multiply(points.Values, factor, values);
        return new Matrix(points.Rows, points.Columns, values);
    }

    static double[] HalfSquares(Matrix points)
    {
        var squares = new double[points.Rows];
        for (int i = 0; i < squares.Length; i++)
            squares[i] = TensorPrimitives.SumOfSquares(points.Row(i)) / 2;
        return squares;
    }
}
